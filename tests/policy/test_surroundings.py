"""The proof on clusters that are built otherwise: DNS, API server and ingress controller where the settings say."""

from typing import Any

import pytest

from policy.manifests import Manifest, name_of
from policy.paths import read
from policy.proof.declaration import declaration_of
from policy.proof.endpoints import NAMESPACE_NAME
from policy.proof.reachability import prove
from policy.stacks import Stack, load_stack, read_document
from tests.support.documents import STACKS

OTHER_DNS = {
    "egress": {
        "dns": {
            "namespace": "openshift-dns",
            "labels": {"dns.operator.openshift.io/daemonset-dns": "default"},
            "addresses": ["169.254.20.10"],
            "ports": [53, 5353],
        }
    }
}
OTHER_API_SERVER = {
    "egress": {
        "apiServerAddresses": ["10.43.0.1", "172.18.0.3", "8.8.8.8"],
        "apiServerPorts": [443, 16443],
        "apiServerSources": ["172.18.0.0/24", "10.42.0.0/32"],
    }
}
OTHER_CONTROLLER = {"controllerRanges": ["172.31.16.0/20", "192.0.2.8/32"]}


def changed(stack: str, changes: dict[str, Any]) -> Stack:
    """A stack with other blocks."""
    document = read_document(stack)
    return load_stack(stack, document | {key: document.get(key, {}) | block for key, block in changes.items()})


@pytest.mark.parametrize(
    "changes",
    [
        OTHER_DNS,
        OTHER_API_SERVER,
        {"ingress": OTHER_CONTROLLER},
        {"ingress": OTHER_CONTROLLER, "mesh": {"mode": "ambient"}},
    ],
    ids=["DNS", "API server", "ingress controller", "ingress controller in a mesh"],
)
@pytest.mark.parametrize("stack", STACKS)
def test_what_a_stack_says_of_its_cluster_is_let_through_and_nothing_else(stack: str, changes: dict[str, Any]) -> None:
    """Nothing extra, nothing missing; the policies of another cluster lack edges and have some too many."""
    other = changed(stack, changes)
    assert prove(other.manifests, declaration_of(other.platform)).differences == ()
    plain = load_stack(stack)
    kinds = {each.kind for each in prove(plain.manifests, declaration_of(other.platform)).differences}
    assert "missing" in kinds


@pytest.mark.parametrize("stack", STACKS)
def test_every_rule_for_dns_follows_the_setting(stack: str) -> None:
    """As many as by default, and none is left that names the pods of kube-dns."""
    default, other = (dns_rules(each) for each in (load_stack(stack), changed(stack, OTHER_DNS)))
    assert default.keys() == other.keys()
    assert set(default.values()) == {("kube-system", (53,), ())}
    assert set(other.values()) == {("openshift-dns", (53, 5353), ("169.254.20.10/32",))}


def dns_rules(stack: Stack) -> dict[str, tuple[str, tuple[int, ...], tuple[str, ...]]]:
    """Namespace, UDP ports and further addresses of the rule for DNS, by the policy that has one."""
    policies = (each for each in stack.manifests if each["kind"] == "NetworkPolicy")
    return {name_of(each): found for each in policies for found in _dns_rules(each)}


def _dns_rules(policy: Manifest) -> list[tuple[str, tuple[int, ...], tuple[str, ...]]]:
    found = []
    for rule in policy["spec"].get("egress", ()):
        udp = tuple(port["port"] for port in rule["ports"] if port["protocol"] == "UDP")
        pods, *blocks = rule["to"]
        namespace = read(pods, f'namespaceSelector.matchLabels["{NAMESPACE_NAME}"]')
        if namespace and udp:
            found.append((namespace, udp, tuple(block["ipBlock"]["cidr"] for block in blocks)))
    return found


def test_the_certificate_is_probed_where_policies_see_the_service_and_where_they_see_the_pods() -> None:
    """Both ports are open where they differ, one where they do not; nothing else of the controller is."""
    for ports, expected in (({}, [443, 8443]), ({"port": 9443, "podPort": 9443}, [9443])):
        probe = {"certificateProbe": ports}
        stack = changed("beta", {"prometheus": probe})
        (policy,) = (
            each for each in stack.manifests if (each["kind"], name_of(each)) == ("NetworkPolicy", "blackbox-exporter")
        )
        controller = [rule for rule in policy["spec"]["egress"] if "traefik" in str(rule["to"])]
        assert [port["port"] for rule in controller for port in rule["ports"]] == expected
        assert prove(stack.manifests, declaration_of(stack.platform)).differences == ()
