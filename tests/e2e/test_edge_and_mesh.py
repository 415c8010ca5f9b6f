"""Ingress and mesh on a real API server with the real CustomResourceDefinitions. No controller runs there."""

import copy
import json
import sys

import pytest

from components.stack.problems import PLATFORM_KEY
from tests.e2e.conftest import Project
from tests.support.custom_resources import install
from tests.support.stack_files import change, without_stores

pytestmark = pytest.mark.e2e

ROUTES = "gateways.gateway.networking.k8s.io,httproutes.gateway.networking.k8s.io"
MESH = "peerauthentications.security.istio.io,authorizationpolicies.security.istio.io"
MIDDLEWARES = "middlewares.traefik.io"
EVERYTHING = {
    "ingress": {
        "host": "alt-las.local",
        "api": "gateway",
        "traefik": {"maxBodyMebibytes": 10, "rateLimit": {"average": 100, "burst": 200}},
    },
    "mesh": {"mode": "ambient"},
}


def names(project: Project, kinds: str) -> set[str]:
    """Kind and name of the objects in alpha's namespace."""
    return {f"{each['kind']}/{each['metadata']['name']}" for each in project.objects(kinds, "alt-las")}


def test_a_namespace_of_others_is_refused_and_taken_over_only_when_handed_over(project: Project) -> None:
    """Refused before a write; afterwards it keeps its identity and has the platform's labels."""
    without_stores(project, "alpha")
    assert project.run(sys.executable, "-m", "cluster", "start").code == 0
    assert project.kubectl("create", "namespace", "alt-las").code == 0
    identity = json.loads(project.kubectl("get", "namespace", "alt-las", "--output", "json").out)["metadata"]["uid"]
    done = project.altlas("up", "--no-addons", "--stack", "alpha")
    assert done.code == 2, done.text
    assert f"{PLATFORM_KEY}.namespace: is alt-las, which is on the cluster already" in done.error
    assert "Traceback" not in done.error
    assert project.objects("deployments,networkpolicies", "alt-las") == []
    (cure,) = (line.partition("it: ")[2] for line in done.error.splitlines() if "kubectl label" in line)
    assert project.kubectl(*cure.split()[1:]).code == 0
    done = project.altlas("up", "--no-addons", "--stack", "alpha")
    assert done.code == 0, done.text
    metadata = json.loads(project.kubectl("get", "namespace", "alt-las", "--output", "json").out)["metadata"]
    assert metadata["uid"] == identity
    assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_an_ingress_is_created_without_waiting_for_an_address(project: Project) -> None:
    """No controller gives it one here; the update has ended all the same."""
    (ingress,) = project.objects("ingresses", "alt-las")
    assert ingress["spec"]["tls"] == [{"hosts": ["alt-las.local"], "secretName": "alt-las-tls"}]
    assert ingress["status"]["loadBalancer"] == {}


def test_a_cluster_without_the_definitions_is_refused_before_the_first_write(project: Project) -> None:
    """`altlas up` names all settings with their cures; plain `pulumi up` fails and names the kinds."""
    before = names(project, "networkpolicies,ingresses")
    original = project.stack_file("alpha").read_text()
    change(project, "alpha", EVERYTHING)
    done = project.altlas("up", "--no-addons", "--stack", "alpha")
    assert done.code == 2, done.text
    assert "3 problems in the stack configuration, nothing was changed" in done.error
    assert f"{PLATFORM_KEY}.ingress.api: needs what the cluster does not have: gateways.gateway" in done.error
    assert f"{PLATFORM_KEY}.ingress.traefik: needs what the cluster does not have: middlewares.traefik.io" in done.error
    assert f"{PLATFORM_KEY}.mesh.mode: needs what the cluster does not have: authorizationpolicies" in done.error
    assert names(project, "networkpolicies,ingresses") == before
    done = project.pulumi("up", "--yes", "--skip-preview", "--stack", "alpha")
    project.stack_file("alpha").write_text(original)
    assert done.code != 0, done.text
    for kind, version in (("Gateway", "gateway.networking.k8s.io/v1"), ("PeerAuthentication", "security.istio.io/v1")):
        assert f'no matches for kind "{kind}" in version "{version}"' in done.out + done.error
    assert names(project, "ingresses") == {"Ingress/platform"}, "the Ingress that was there stays"


def test_with_the_definitions_the_gateway_and_the_mesh_are_admitted_whole(project: Project) -> None:
    """Every object passes the schemas that the real projects release; a preview afterwards has nothing to do."""
    install(project, "sigs.k8s.io/gateway-api")
    install(project, "istio.io/api")
    install(project, "github.com/traefik/traefik/v3")
    pods = {pod["metadata"]["uid"] for pod in project.objects("pods", "alt-las")}
    original = project.stack_file("alpha").read_text()
    change(project, "alpha", EVERYTHING)
    done = project.altlas("up", "--no-addons", "--stack", "alpha")
    assert done.code == 0, done.text
    services = ("ai-orchestrator", "api-gateway", "archive-service", "deny-all", "runner-service")
    assert names(project, f"{ROUTES},{MESH}") == {
        "Gateway/platform",
        "HTTPRoute/platform-alt-las.local",
        "HTTPRoute/platform-redirect",
        "PeerAuthentication/default",
        "AuthorizationPolicy/segmentation-service",
        *(f"AuthorizationPolicy/{name}" for name in services),
    }
    assert names(project, "ingresses") == set()
    assert names(project, MIDDLEWARES) == {"Middleware/platform-body", "Middleware/platform-rate"}
    metadata = json.loads(project.kubectl("get", "namespace", "alt-las", "--output", "json").out)["metadata"]
    assert metadata["labels"]["istio.io/dataplane-mode"] == "ambient"
    assert {pod["metadata"]["uid"] for pod in project.objects("pods", "alt-las")} == pods
    assert project.pulumi("preview", "--stack", "alpha", "--expect-no-changes").code == 0
    check_control_runs(project)
    project.stack_file("alpha").write_text(original)


def check_control_runs(project: Project) -> None:
    """The same objects with one mistake each are refused, so that being admitted means something."""
    route = next(each for each in project.objects(ROUTES, "alt-las") if each["metadata"]["name"] == "platform-redirect")
    policy = next(each for each in project.objects(MESH, "alt-las") if each["metadata"]["name"] == "api-gateway")
    (rate,) = (each for each in project.objects(MIDDLEWARES, "alt-las") if each["metadata"]["name"] == "platform-rate")
    timeout, action = copy.deepcopy(route), copy.deepcopy(policy)
    rate["spec"]["rateLimit"]["average"] = "many"
    timeout["spec"]["rules"][0]["timeouts"] = {"request": "a minute"}
    action["spec"]["action"] = "PERMIT"
    mutants = (
        (timeout, "spec.rules[0].timeouts.request"),
        (action, "spec.action"),
        (rate, "spec.rateLimit.average"),
    )
    for number, (mutant, said) in enumerate(mutants):
        path = project.root / f"mutant-{number}.json"
        path.write_text(json.dumps(mutant))
        done = project.kubectl("replace", "--dry-run=server", "--filename", str(path))
        assert done.code != 0, done.text
        assert said in done.error


def test_off_removes_all_of_it(project: Project) -> None:
    """The stack is as it was before; no pod was restarted."""
    pods = {pod["metadata"]["uid"] for pod in project.objects("pods", "alt-las")}
    done = project.altlas("up", "--no-addons", "--stack", "alpha")
    assert done.code == 0, done.text
    assert names(project, f"{ROUTES},{MESH},{MIDDLEWARES}") == set()
    assert names(project, "ingresses") == {"Ingress/platform"}
    metadata = json.loads(project.kubectl("get", "namespace", "alt-las", "--output", "json").out)["metadata"]
    assert "istio.io/dataplane-mode" not in metadata["labels"]
    assert "15008" not in json.dumps([each["spec"] for each in project.objects("networkpolicies", "alt-las")])
    assert {pod["metadata"]["uid"] for pod in project.objects("pods", "alt-las")} == pods


def test_an_ingress_takes_body_size_rate_limit_and_redirect_from_traefik(project: Project) -> None:
    """Every Middleware passes Traefik's own schema, and the routes name those that are there."""
    limits = {"maxBodyMebibytes": 10, "rateLimit": {"average": 100, "burst": 200}}
    change(project, "alpha", {"ingress": {"host": "alt-las.local", "traefik": limits}})
    done = project.altlas("up", "--no-addons", "--stack", "alpha")
    assert done.code == 0, done.text
    middlewares = {each["metadata"]["name"] for each in project.objects(MIDDLEWARES, "alt-las")}
    assert middlewares == {"platform-body", "platform-rate", "platform-redirect"}
    used = set()
    for ingress in project.objects("ingresses", "alt-las"):
        names_used = ingress["metadata"]["annotations"]["traefik.ingress.kubernetes.io/router.middlewares"]
        used |= set(names_used.split(","))
    assert used == {f"alt-las-{name}@kubernetescrd" for name in middlewares}
