"""The whole platform in real containers: brought up by one command, its traffic, its stores, its backups, its end."""

import http.client
import json
import re
import shlex
import ssl
import subprocess
from urllib.parse import urlsplit

import pytest

import tools
from altlas.update.missing_images import missing_parts
from cluster.node.images import MISSING
from components.stack.loading import read_platform
from policy.proof.declaration import declaration_of
from policy.proof.endpoints import DNS
from tests.node.connections import OPEN
from tests.node.platform.project import HOST, NAMESPACE, SERVICES, STACK, NodeProject
from tests.node.traffic import STRANGER, around, compare
from tests.support.figures import Figures

pytestmark = pytest.mark.node


def test_five_services_and_three_stores_run(project: NodeProject, figures: Figures) -> None:
    """Every container of every pod is ready, on all three nodes."""
    pods = project.pods()
    ready = [status["ready"] for pod in pods for status in pod["status"]["containerStatuses"]]
    names = {pod.workload for pod in project.running()}
    assert all(ready)
    assert names > {*SERVICES, "postgres", "redis", "nats"}
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 3
    figures.add(
        "platform on real nodes", f"services 5 of 5, stores 3 of 3, {len(ready)} containers in {len(pods)} pods"
    )


def test_the_printed_call_reaches_the_gateway_and_through_it_every_service(project: NodeProject) -> None:
    """A newcomer copies it; the gateway's stand-in asks the other four."""
    (call,) = re.findall(r"^call:  (curl .*)$", project.printed.read_text(), re.MULTILINE)
    command = [*shlex.split(call), "--silent", "--max-time", "10", "--fail"]
    answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert answer == {"status": "UP", "services": dict.fromkeys(sorted(SERVICES), "UP")}


def test_what_has_no_image_is_named_and_left_out_in_the_stack_file(project: NodeProject) -> None:
    """And nothing else: the file says what runs."""
    named = re.findall(r"Left out, as `(\S+): null` in Pulumi.local.yaml", project.printed.read_text())
    assert named == [missing.setting for missing in MISSING]
    assert missing_parts(read_platform(project.stack_file(STACK))) == []


def test_every_connection_is_possible_or_refused_as_declared(project: NodeProject, figures: Figures) -> None:
    """From every pod to every port that is known to answer, to the cluster's DNS and to the API server."""
    found = compare(read_platform(project.stack_file(STACK)), project.objects)
    figures.add("connections on real nodes", str(found))
    assert found.without_listener == set()
    assert found.wrong == []
    assert found.allowed >= 80
    assert found.denied >= 400


def test_names_are_asked_for_by_udp_as_declared(project: NodeProject, figures: Figures) -> None:
    """From every pod to every server of the cluster's DNS, which is known to answer, and to its Service."""
    declared = declaration_of(read_platform(project.stack_file(STACK))).edges
    may_ask = {edge.source for edge in declared if (edge.destination, edge.port, edge.protocol) == (DNS, 53, "UDP")}
    pods, others = project.running(), around(project.objects)
    servers = [(pod.address, 53) for pod in others if pod.workload == STRANGER]
    servers.append((service_address(project), 53))
    assert set(others[0].tries(servers, "UDP")) == {OPEN}
    found = {pod.name: (pod.workload in may_ask, set(pod.tries(servers, "UDP"))) for pod in pods}
    wrong = {name: outcome for name, (may, outcome) in found.items() if (outcome == {OPEN}) != may}
    allowed = sum(may for may, _ in found.values())
    figures.add(
        "names by UDP on real nodes", f"{allowed} pods may ask and do, {len(found) - allowed} may not and cannot"
    )
    assert wrong == {}
    assert all(may or OPEN not in outcome for may, outcome in found.values())
    assert 0 < allowed < len(found)


def service_address(project: NodeProject) -> str:
    """Address of the cluster's DNS."""
    services = {item["metadata"]["name"]: item["spec"] for item in project.objects("services", "kube-system")}
    return str(services["kube-dns"]["clusterIP"])


@pytest.mark.parametrize(("path", "from_gateway"), [("/api/documents", True), ("/elsewhere", False)])
def test_traefik_hands_the_api_to_the_gateway_and_nothing_else(
    project: NodeProject, path: str, from_gateway: bool
) -> None:
    """The gateway's stand-in knows no documents and says so with an empty answer; Traefik's own has a text."""
    (address, *_) = (pod["status"]["hostIP"] for pod in project.pods("kube-system"))
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE  # Traefik's own certificate
    connection = http.client.HTTPSConnection(address, context=unchecked, timeout=5)
    connection.request("GET", path, headers={"Host": HOST})
    answer = connection.getresponse()
    assert (answer.status, answer.read() == b"") == (404, from_gateway)


def test_every_target_of_prometheus_is_up(project: NodeProject) -> None:
    """Those of the services' health, of the stores, of the monitoring itself, and the ingress' certificate."""
    path = f"/api/v1/namespaces/{NAMESPACE}/services/prometheus:9090/proxy/api/v1/targets"
    found = json.loads(project.kubectl("get", "--raw", path).out)["data"]["activeTargets"]
    assert {target["labels"]["job"] for target in found} == {
        *("alertmanager", "api-gateway", "backup-metrics", "blackbox-exporter", "health-probe", "ingress-certificate"),
        *("postgres-db", "prometheus"),
    }
    assert [target["scrapeUrl"] for target in found if target["health"] == "down"] == []


def test_services_write_with_their_own_credentials_and_the_backup_is_restored(
    project: NodeProject, figures: Figures
) -> None:
    """A row, a key and a message; each backup Job then restores what it has saved into a server of its own."""
    row = "create table trial (n int); insert into trial values (1), (2); select count(*) from trial"
    url = project.secret("archive-service", "DATABASE_URL")
    assert project.exec("postgres-db-1", "psql", url, "--quiet", "--tuples-only", "--no-align", "--command", row) == "2"

    redis = urlsplit(project.secret("api-gateway", "REDIS_URL"))
    login = ("--user", str(redis.username), "--pass", str(redis.password), "--no-auth-warning")
    assert project.exec("redis-0", "redis-cli", *login, "set", "api-gateway:trial", "1") == "OK"

    nats = urlsplit(project.secret("runner-service", "NATS_URL"))
    server = f"nats://{nats.username}:{nats.password}@{project.address('nats')}:4222"
    (runner,) = (pod for pod in project.running() if pod.workload == "runner-service")
    program = str(tools.ensure(["nats"]).path("nats"))
    command = ("nsenter", f"--target={runner.process()}", "--net", "--", program, f"--server={server}")
    sent = subprocess.run(
        [*command, "request", "last.files", "one", "--raw"], capture_output=True, text=True, check=False, timeout=30
    )
    assert '"stream":"LAST_FILES"' in sent.stdout.replace(" ", ""), sent.stderr

    for store in ("postgres", "redis", "nats"):
        assert (
            project.kubectl(
                "create", "job", f"trial-{store}", f"--from=cronjob/{store}-backup", f"--namespace={NAMESPACE}"
            ).code
            == 0
        )
    restored = {store: _restored(project, f"trial-{store}") for store in ("postgres", "redis", "nats")}
    figures.add("backups on real nodes, items restored", json.dumps(restored))
    assert restored == {"postgres": 2, "redis": 1, "nats": 1}


def _restored(project: NodeProject, job: str) -> int:
    """Number of items that the restore after a backup has found."""
    place = f"--namespace={NAMESPACE}"
    done = project.kubectl("wait", "--for=condition=complete", f"job/{job}", place, "--timeout=120s")
    log = project.kubectl("logs", f"job/{job}", place).out
    assert done.code == 0, f"{done.text}\n{log}"
    drill = json.loads(log.strip().splitlines()[-1])["drill"]
    return sum(part["items"] for part in drill)
