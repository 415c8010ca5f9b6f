"""The mesh's objects, judged by what Istio makes of them."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pytest

from components.kubernetes.object import Manifest
from components.platform.mesh import MeshArgs, PlatformMesh, mesh_manifests, namespace_labels
from components.settings import PlatformSettings
from components.traffic.graph import ServiceGraph
from rendering.recorder import Recorder, record
from tests.support.documents import STACKS, alpha_settings, platform_of
from tests.support.program import build, surroundings, surroundings_without_engine

ON = {"mesh.mode": "ambient"}
CALLERS = {
    "ai-orchestrator": {"api-gateway", "runner-service", "segmentation-service"},
    "archive-service": {"api-gateway"},
    "runner-service": {"api-gateway"},
    "segmentation-service": {"api-gateway"},
}
"""Who calls whom, written out from the facts about the original platform (section 3.1)."""
PORTS = {
    "ai-orchestrator": 8001,
    "api-gateway": 3000,
    "archive-service": 9000,
    "runner-service": 8080,
    "segmentation-service": 8000,
}
OBSERVERS = ("alloy", "blackbox-exporter", "grafana")
"""What watches from inside the mesh, because it reaches others there or they reach it."""


@cache
def objects_of(stack: str) -> list[dict[str, Any]]:
    """Everything that a stack's program registers with the mesh switched on. Read-only: tests share it."""
    return record(stack, platform_of(stack) | {"mesh": {"mode": "ambient"}}).objects


def manifests(changes: Mapping[str, Any] | None = None) -> dict[str, Manifest]:
    """The mesh's objects with alpha's settings, changed at paths."""
    platform = alpha_settings(ON | dict(changes or {}))
    return mesh_manifests(args_of(platform))


def args_of(platform: PlatformSettings, graph: ServiceGraph | None = None) -> MeshArgs:
    """Arguments of the mesh, with the service graph without stores."""
    return MeshArgs.of(platform, surroundings(platform, graph))


def admitted(policies: Sequence[Mapping[str, Any]], labels: Mapping[str, str], principal: str, port: int) -> bool:
    """Decision of Istio: without a policy everything, with policies only what a rule of one of them admits."""
    about = [each["spec"] for each in policies if selects(each["spec"], labels)]
    return not about or any(applies(rule, principal, port) for spec in about for rule in spec.get("rules", ()))


def selects(spec: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A policy without selector is about every pod of its namespace."""
    wanted: dict[str, str] = spec.get("selector", {}).get("matchLabels", {})
    return wanted.items() <= labels.items()


def applies(rule: Mapping[str, Any], principal: str, port: int) -> bool:
    """All parts of a rule must hold; a part that is left out always does."""
    sources = [each["source"]["principals"] for each in rule.get("from", ())]
    ports = [each["operation"]["ports"] for each in rule.get("to", ())]
    return (not sources or any(principal in each for each in sources)) and (
        not ports or any(str(port) in each for each in ports)
    )


@pytest.mark.parametrize("stack", STACKS)
def test_exactly_the_declared_calls_are_admitted(stack: str) -> None:
    """Over every caller, every service and every port of the platform, and strangers from elsewhere."""
    objects = objects_of(stack)
    namespace = platform_of(stack)["namespace"]
    policies = [each for each in objects if each["kind"] == "AuthorizationPolicy"]
    deployments = [each for each in objects if each["kind"] == "Deployment" and each["metadata"]["name"] in PORTS]
    assert len(deployments) == 5
    accounts = {f"cluster.local/ns/{namespace}/sa/{name}": name for name in PORTS}
    accounts |= {
        "cluster.local/ns/kube-system/sa/traefik": "ingress controller",
        f"cluster.local/ns/{namespace}/sa/default": "stranger",
        "cluster.local/ns/elsewhere/sa/api-gateway": "stranger",
    }
    expected = {(caller, callee, PORTS[callee]) for callee, callers in CALLERS.items() for caller in callers}
    expected |= {("ingress controller", "api-gateway", 3000)}
    found = {
        (caller, each["metadata"]["name"], port)
        for each in deployments
        for principal, caller in accounts.items()
        for port in (*PORTS.values(), 15008, 22)
        if admitted(policies, each["spec"]["template"]["metadata"]["labels"], principal, port)
    }
    assert found == expected


@pytest.mark.parametrize("stack", STACKS)
def test_every_principal_is_a_service_account_and_every_port_is_one_of_the_pods(stack: str) -> None:
    """A name that nobody has admits nobody, and nobody would notice before the first call."""
    objects = objects_of(stack)
    namespace = platform_of(stack)["namespace"]
    accounts = {each["metadata"]["name"] for each in objects if each["kind"] == "ServiceAccount"}
    pods = [each["spec"]["template"] for each in objects if each["kind"] == "Deployment"]
    checked = 0
    for policy in (each for each in objects if each["kind"] == "AuthorizationPolicy" and each["spec"]):
        if policy["metadata"]["name"] == "prometheus":
            assert policy["spec"]["rules"][0]["to"][0]["operation"]["ports"] == ["9090"], "its operator makes its pods"
            continue
        (pod,) = (each for each in pods if selects(policy["spec"], each["metadata"]["labels"]))
        ports = {str(port["containerPort"]) for each in pod["spec"]["containers"] for port in each["ports"]}
        for rule in policy["spec"]["rules"]:
            assert rule.keys() == {"from", "to"}, "two rules would admit every caller, and every port"
            for principal in rule["from"][0]["source"]["principals"]:
                own = principal.removeprefix(f"cluster.local/ns/{namespace}/sa/")
                assert own in accounts or principal == "cluster.local/ns/kube-system/sa/traefik"
            assert set(rule["to"][0]["operation"]["ports"]) <= ports
        checked += 1
    assert checked == len({*PORTS, *OBSERVERS})


def test_everything_but_mutual_tls_is_refused_in_the_whole_namespace() -> None:
    """No selector, no port is left out."""
    found = manifests()["mutual-tls"]
    assert (found["kind"], found["metadata"]["name"]) == ("PeerAuthentication", "default")
    assert found["spec"] == {"mtls": {"mode": "STRICT"}}


def test_the_namespace_admits_nobody_by_default() -> None:
    """A policy without selector and without rules: nobody, on every pod."""
    assert manifests()["deny-all"]["spec"] == {}


def test_the_ingress_controller_is_known_by_its_service_account() -> None:
    """Clusters differ in what it is called and where it runs."""
    changes = {
        "ingress.controllerNamespace": "edge",
        "mesh.ingressServiceAccount": "gw",
        "mesh.trustDomain": "td.example",
    }
    (rule,) = manifests(changes)["api-gateway"]["spec"]["rules"]
    assert rule["from"] == [{"source": {"principals": ["td.example/ns/edge/sa/gw"]}}]


def test_a_service_that_nobody_calls_has_no_policy_of_its_own() -> None:
    """A rule without callers would admit everybody."""
    platform = alpha_settings(ON)
    lonely = ServiceGraph(ports={"web": 1}, calls=frozenset(), in_mesh=frozenset({"web"}))
    assert mesh_manifests(args_of(platform, lonely)).keys() == {"mutual-tls", "deny-all"}


def test_a_mesh_changes_the_namespace_the_network_policies_and_its_own_objects(
    programs: Mapping[str, Recorder],
) -> None:
    """And the stores' pods, which stay outside; no service is written, so none is restarted."""
    before = {_name(o): o for o in programs["alpha"].objects}
    after = {_name(o): o for o in objects_of("alpha")}
    assert {kind for kind, _ in after.keys() - before.keys()} == {"PeerAuthentication", "AuthorizationPolicy"}
    assert before.keys() <= after.keys()
    changed = {(kind, name) for kind, name in before if before[kind, name] != after[kind, name]}
    pods = {key for key in changed if key[0] not in {"Namespace", "NetworkPolicy"}}
    assert {kind for kind, _ in changed - pods} == {"Namespace", "NetworkPolicy"}
    assert all("'istio.io/dataplane-mode': 'none'" in str(after[key]) for key in pods)
    assert not {name for _, name in pods} & PORTS.keys()


def _name(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """Kind and name; that of a Job without the checksum of its template, which holds the label of its pod."""
    name = manifest["metadata"]["name"]
    return manifest["kind"], name.rpartition("-")[0] if manifest["kind"] == "Job" else name


@pytest.mark.parametrize("stack", STACKS)
def test_every_pod_of_the_namespace_is_a_service_or_their_prober_in_the_mesh_or_a_store_outside(stack: str) -> None:
    """A store inside would be closed for its own peers and for its operator, which no policy of the mesh names."""
    for each in objects_of(stack):
        template = each.get("spec", {}).get("template", {})
        if "spec" in template:
            labels = template["metadata"]["labels"]
            outside = labels.get("istio.io/dataplane-mode") == "none"
            assert outside is (each["metadata"]["name"] not in {*PORTS, *OBSERVERS, "grafana"}), each["metadata"][
                "name"
            ]


def test_off_leaves_nothing_of_it(programs: Mapping[str, Recorder]) -> None:
    """Neither an object nor a label nor a port."""
    platform = alpha_settings()
    assert mesh_manifests(args_of(platform)) == {}
    assert (namespace_labels(platform.mesh), surroundings_without_engine(platform).mesh_opt_out) == ({}, {})
    text = str(programs["alpha"].objects)
    assert "istio" not in text
    assert "15008" not in text


def test_a_mesh_enrols_the_namespace_and_lets_stores_stay_outside() -> None:
    """By the label that Istio's node agent reads."""
    platform = alpha_settings(ON)
    assert namespace_labels(platform.mesh) == {"istio.io/dataplane-mode": "ambient"}
    assert surroundings_without_engine(platform).mesh_opt_out == {"istio.io/dataplane-mode": "none"}


def test_the_component_registers_seven_objects_below_itself() -> None:
    """They wait for the namespace."""
    platform = alpha_settings(ON)
    program = build(lambda: PlatformMesh("mesh", args_of(platform)))
    policies = ["mesh-" + name for name in ("ai-orchestrator", "api-gateway", "archive-service", "deny-all")]
    policies += ["mesh-runner-service", "mesh-segmentation-service"]
    expected = [("AuthorizationPolicy", name) for name in policies]
    assert program.names() == [*expected, ("PeerAuthentication", "mesh-mutual-tls")]
