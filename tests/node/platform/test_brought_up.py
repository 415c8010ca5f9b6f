"""The whole platform in real containers: brought up by one command, its traffic, its stores, its backups, its end."""

import http.client
import json
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import tools
from components.stack.loading import read_platform
from policy.proof.declaration import declaration_of
from policy.proof.endpoints import API_SERVER, DNS, INGRESS
from tests.node.connections import OPEN, RunningPod
from tests.node.platform.project import HOST, NAMESPACE, SERVICES, NodeProject
from tests.support.figures import Figures

pytestmark = pytest.mark.node

STRANGER = "a pod of another namespace"


@dataclass(frozen=True)
class Place:
    """Something that listens.

    Attributes:
        workload: Who listens, by the name that the declared traffic has for it.
        port: Port that policies judge: the listener's own, also behind a Service.
        address: Address and port to connect to.
        pod: Address of the pod that listens, where a Service stands before it.
    """

    workload: str
    port: int
    address: tuple[str, int]
    pod: str = ""


def around(project: NodeProject) -> list[RunningPod]:
    """Pods beside the platform: Traefik, which may reach the gateway, and the cluster's DNS, which may nothing."""
    names = {"traefik": INGRESS, "coredns": STRANGER}
    pods = project.pods("kube-system")
    return [
        RunningPod.of(item, names[name])
        for item in pods
        if (name := item["metadata"]["name"].partition("-")[0]) in names
    ]


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


def test_every_connection_is_possible_or_refused_as_declared(project: NodeProject, figures: Figures) -> None:
    """From every pod to every port that is known to answer, to the cluster's DNS and to the API server."""
    declared = declaration_of(read_platform(project.stack_file("node"))).edges
    edges = {(edge.source, edge.destination, edge.port) for edge in declared if edge.protocol == "TCP"}
    pods, others = project.running(), around(project)
    places = [
        Place(pod.workload, port, (pod.address, port))
        for pod in pods
        for port, found in zip(pod.ports, pod.tries((pod.address, port) for port in pod.ports), strict=True)
        if found == OPEN
    ]
    assert {place.workload for place in places} == {pod.workload for pod in pods}
    places += [Place(DNS, 53, (pod.address, 53)) for pod in others if pod.workload == STRANGER]
    server = _server_of(Path(project.variables()["KUBECONFIG"]))
    places += [Place(API_SERVER, server[1], server), *by_services(project, {place.address: place for place in places})]
    outcomes: Counter[tuple[bool, bool]] = Counter()
    wrong = []
    for source in (*pods, *others):
        targets = [
            place
            for place in places
            if source.address not in {place.pod, place.address[0]} and _is_judged(source, place)
        ]
        for place, found in zip(targets, source.tries(place.address for place in targets), strict=True):
            is_declared = (source.workload, place.workload, place.port) in edges
            outcomes[is_declared, found == OPEN] += 1
            # Who is known to answer and does not is kept away, by a reset or, on a busy machine, by silence.
            wrong += [f"{source.name} -> {place}: {found}"] if (found == OPEN) != is_declared else []
    allowed, denied = outcomes[True, True], outcomes[False, False]
    figures.add(
        "connections on real nodes",
        f"allowed {allowed} of {allowed + outcomes[True, False]}, denied {denied} of {denied + outcomes[False, True]}",
    )
    assert wrong == []
    assert allowed >= 80
    assert denied >= 400


def test_names_are_asked_for_by_udp_as_declared(project: NodeProject, figures: Figures) -> None:
    """From every pod to every server of the cluster's DNS, which is known to answer, and to its Service."""
    declared = declaration_of(read_platform(project.stack_file("node"))).edges
    may_ask = {edge.source for edge in declared if (edge.destination, edge.port, edge.protocol) == (DNS, 53, "UDP")}
    pods, others = project.running(), around(project)
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


def by_services(project: NodeProject, listeners: Mapping[tuple[str, int], Place]) -> Iterator[Place]:
    """The same listeners behind the addresses of their Services, of which each names one workload."""
    services = {item["metadata"]["name"]: item["spec"] for item in project.objects("services", NAMESPACE)}
    for item in project.objects("endpointslices", NAMESPACE):
        spec = services[item["metadata"]["labels"]["kubernetes.io/service-name"]]
        ports = {port.get("name"): port["port"] for port in spec["ports"]}
        for end, port in product(item["endpoints"] or (), item["ports"] or ()):
            place = listeners.get((end["addresses"][0], port["port"]))
            if place and spec["clusterIP"] != "None":
                yield replace(place, address=(spec["clusterIP"], ports[port.get("name")]), pod=place.address[0])


def _is_judged(source: RunningPod, place: Place) -> bool:
    """True where a policy of the platform has a say: pods of other namespaces may do outside it what they like."""
    return source.workload not in {INGRESS, STRANGER} or place.workload not in {DNS, API_SERVER}


def _server_of(kubeconfig: Path) -> tuple[str, int]:
    """Address and port of the API server, which is the same for pods and for the machine."""
    (line,) = (line for line in kubeconfig.read_text("utf-8").splitlines() if "server:" in line)
    url = urlsplit(line.partition("server:")[2].strip(" \"'"))
    return str(url.hostname), int(url.port or 443)


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
