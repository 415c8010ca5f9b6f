"""Gate: in a mesh, the kubelet's probes reach every port that they ask, from the address that the mesh gives them."""

import copy
from collections.abc import Iterator

import pytest

from policy.manifests import Manifest, ManifestSet, Pod, kind_of, name_of, namespace_of
from policy.paths import read
from policy.selectors import matches
from policy.stacks import load_stack, read_document
from tests.support.documents import STACKS

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
PROBE_ADDRESS = "169.254.7.127/32"
OUTSIDE = {"istio.io/dataplane-mode": "none"}
"""Label of pods that do not enter the mesh of their namespace."""

OPERATED = {("Prometheus", "prometheus"): {9090}}
"""Ports that an operator's own probes ask, of the pods in the mesh that no manifest shows."""


@pytest.mark.parametrize("stack", STACKS)
def test_every_port_that_a_probe_asks_is_open_to_the_probes(stack: str) -> None:
    """Probe ports of each pod in the mesh without the ports open to the probes' address: none."""
    manifests = in_mesh(stack)
    asked = {name: ports for name, (ports, _) in probed(manifests).items()}
    assert closed(manifests) == {}
    assert asked["alloy"] == {4317, 4318}
    assert len(asked) >= 9, "five services and four observers"


def test_a_probe_on_a_further_port_is_found() -> None:
    """One that nobody opened, such as Alloy's own before."""
    manifests = copy.deepcopy(in_mesh("alpha"))
    (gateway,) = (m for m in manifests if (kind_of(m), name_of(m)) == ("Deployment", "api-gateway"))
    container = gateway["spec"]["template"]["spec"]["containers"][0]
    container["livenessProbe"] = {"tcpSocket": {"port": 9999}}
    assert closed(manifests) == {"api-gateway": {9999}}


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
        key = kind_of(manifest), name_of(manifest)
        if key in OPERATED:
            labels = read(manifest, "spec.podMetadata.labels")
            found[name_of(manifest)] = OPERATED[key], _open(of_set, namespace_of(manifest), labels)
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
