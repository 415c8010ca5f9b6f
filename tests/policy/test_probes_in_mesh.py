"""Gate: in a mesh, the kubelet's probes reach every port that they ask, from the address that the mesh gives them."""

import copy
from collections.abc import Callable, Iterator

import pytest

from policy.manifests import Manifest, ManifestSet, Pod, kind_of, name_of, namespace_of
from policy.operator_pods import operator_pod_of
from policy.paths import read
from policy.selectors import matches
from policy.stacks import load_stack, read_document
from tests.policy.settings_variations import repeatable, variation
from tests.support.documents import STACKS

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
PROBE_ADDRESS = "169.254.7.127/32"
OUTSIDE = {"istio.io/dataplane-mode": "none"}
"""Label of pods that do not enter the mesh of their namespace."""

OPERATED = {"Prometheus": {9090}}
"""Ports that an operator's own probes ask, of the pods in the mesh that no manifest shows."""

UNKNOWN = {0}
"""Ports of operated pods that enter the mesh and are not in the table: never open."""


@pytest.mark.parametrize("stack", STACKS)
def test_every_port_that_a_probe_asks_is_open_to_the_probes(stack: str) -> None:
    """Probe ports of each pod in the mesh without the ports open to the probes' address: none."""
    manifests = in_mesh(stack)
    asked = {name: ports for name, (ports, _) in probed(manifests).items()}
    assert closed(manifests) == {}
    assert asked["alloy"] == {4317, 4318}
    assert len(asked) >= 9, "five services and four observers"


def of(kind: str, name: str, manifests: list[Manifest]) -> Manifest:
    """Pod spec of a workload, or the object itself where an operator makes the pods."""
    (found,) = (m for m in manifests if (kind_of(m), name_of(m)) == (kind, name))
    spec: Manifest = found["spec"]
    return spec["template"]["spec"] if "template" in spec else spec


def further_port(manifests: list[Manifest]) -> None:
    """A probe on a port that nobody opened, such as Alloy's own before."""
    of("Deployment", "api-gateway", manifests)["containers"][0]["livenessProbe"] = {"tcpSocket": {"port": 9999}}


def named_port(manifests: list[Manifest]) -> None:
    """A port by name, in a container that is new."""
    container = {
        "name": "metrics",
        "ports": [{"name": "own-metrics", "containerPort": 9998}],
        "readinessProbe": {"httpGet": {"port": "own-metrics", "path": "/"}},
    }
    of("Deployment", "grafana", manifests)["containers"].append(container)


def sidecar(manifests: list[Manifest]) -> None:
    """A sidecar as an init container that goes on, asked by gRPC."""
    container = {"name": "proxy", "restartPolicy": "Always", "startupProbe": {"grpc": {"port": 9997}}}
    of("Deployment", "runner-service", manifests)["initContainers"] = [container]


def operated(manifests: list[Manifest]) -> None:
    """Pods of an operator that nobody has looked at, and that enter the mesh."""
    labels = of("Alertmanager", "alertmanager", manifests)["podMetadata"]["labels"]
    for name in OUTSIDE:
        del labels[name]


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (further_port, {"api-gateway": {9999}}),
        (named_port, {"grafana": {9998}}),
        (sidecar, {"runner-service": {9997}}),
        (operated, {"alertmanager": UNKNOWN}),
    ],
)
def test_a_probe_that_is_new_is_found(plant: Callable[[list[Manifest]], None], expected: dict[str, set[int]]) -> None:
    """In any container, by number or name, over HTTP, TCP or gRPC, and of pods that an operator makes."""
    manifests = copy.deepcopy(in_mesh("beta"))
    plant(manifests)
    assert closed(manifests) == expected


@pytest.mark.parametrize("seed", range(6))
def test_other_settings_open_their_probes_too(seed: int) -> None:
    """Ports of services, and what stands around them, as valid documents vary them."""
    document = variation(read_document("beta"), repeatable(seed)) | {"mesh": {"mode": "ambient"}}
    assert closed(list(load_stack("beta", document).manifests)) == {}


def in_mesh(stack: str) -> list[Manifest]:
    """Objects of a stack with the mesh on."""
    return list(load_stack(stack, read_document(stack) | {"mesh": {"mode": "ambient"}}).manifests)


def closed(manifests: list[Manifest]) -> dict[str, set[int]]:
    """Ports that probes ask and that are not open to them, by workload."""
    return {name: ports - opened for name, (ports, opened) in probed(manifests).items() if ports - opened}


def probed(manifests: list[Manifest]) -> dict[str, tuple[set[int], set[int]]]:
    """For each workload in the mesh that has probes: ports that these ask, and ports open to their address."""
    of_set = ManifestSet(manifests)
    found = {}
    for pod in of_set.pods:
        if not pod.labels.items() >= OUTSIDE.items() and (ports := set(_probe_ports(pod))):
            found[name_of(pod.owner)] = ports, _open(of_set, pod.namespace, pod.labels)
    for manifest in manifests:
        operated = operator_pod_of(manifest)
        if operated and not operated.labels.items() >= OUTSIDE.items():
            ports = OPERATED.get(kind_of(manifest), UNKNOWN)
            found[name_of(manifest)] = ports, _open(of_set, namespace_of(manifest), operated.labels)
    return found


def _probe_ports(pod: Pod) -> Iterator[int]:
    for container in pod.containers:
        named = {port["name"]: port["containerPort"] for port in container.spec.get("ports") or () if "name" in port}
        for probe in PROBES:
            for action in ("httpGet", "tcpSocket", "grpc"):
                port = read(container.spec, f"{probe}.{action}.port")
                if port is not None:
                    yield named[port] if isinstance(port, str) else port


def _open(manifests: ManifestSet, namespace: str, labels: dict[str, str]) -> set[int]:
    rules = (
        rule
        for policy in manifests.of("NetworkPolicy")
        if namespace_of(policy) == namespace and matches(read(policy, "spec.podSelector"), labels)
        for rule in read(policy, "spec.ingress") or ()
    )
    return {
        port["port"]
        for rule in rules
        if {"ipBlock": {"cidr": PROBE_ADDRESS}} in rule["from"]
        for port in rule["ports"]
        if port["protocol"] == "TCP"
    }
