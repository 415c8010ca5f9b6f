"""The prover finds every edge too many, every edge too few and every one-sided permission, and names its cause."""

from __future__ import annotations

import copy
import time

import pytest

from policy.manifests import Manifest, ManifestSet
from policy.paths import read, write
from policy.proof.declaration import declaration_of
from policy.proof.endpoints import INGRESS, INTERNET
from policy.proof.mutants import mutants
from policy.proof.mutation import judge_prover
from policy.proof.reachability import Declaration, Edge, Proof, prove
from policy.prove import prove_stack
from policy.stacks import Stack, load_stack, stack_names
from tests.policy.manifests import NAMESPACE, good_manifests, network_policy, selector

EDGE = Edge("web", "store", "TCP", 5432)
PORT = [{"protocol": "TCP", "port": 5432}]


@pytest.fixture(scope="module", params=stack_names())
def stack(request: pytest.FixtureRequest) -> Stack:
    """Each stack of the platform, rendered once."""
    return load_stack(request.param)


def shop() -> list[Manifest]:
    """The good set, with exactly one edge: web may call store."""
    manifests = good_manifests()
    to_store = [{"to": [{"podSelector": {"matchLabels": selector("store")}}], "ports": PORT}]
    from_web = [{"from": [{"podSelector": {"matchLabels": selector("web")}}], "ports": PORT}]
    write(policy_of(manifests, "web"), "spec.egress", to_store)
    write(policy_of(manifests, "store"), "spec.ingress", from_web)
    return manifests


def policy_of(manifests: list[Manifest], name: str) -> Manifest:
    """A NetworkPolicy by name."""
    (found,) = (m for m in manifests if m["kind"] == "NetworkPolicy" and m["metadata"]["name"] == name)
    return found


def proof_of(manifests: list[Manifest], *edges: Edge) -> Proof:
    """Prove a set against some edges."""
    return prove(manifests, Declaration(frozenset(edges)))


def test_what_is_declared_and_nothing_else_is_proven() -> None:
    """One edge, no difference."""
    proof = proof_of(shop(), EDGE)
    assert (proof.proven, proof.differences) == (frozenset({EDGE}), ())


def test_an_edge_that_nobody_declared_is_extra_and_names_both_rules() -> None:
    """The policy on each side that lets it through is named with the index of its rule; canaries count, too."""
    found = proof_of(shop()).of_kind("extra")
    assert {(each.source, each.destination, each.ports) for each in found} == {
        (source, destination, ("TCP/5432",))
        for source in ("web", "web (canary)")
        for destination in ("store", "store (canary)")
    }
    assert {each.causes for each in found} == {
        ("NetworkPolicy shop/web egress[0]", "NetworkPolicy shop/store ingress[0]")
    }


def test_a_declared_edge_that_is_denied_is_missing_and_names_who_denies_it() -> None:
    """The end that still allows it is named with its rule, the other one with the policies that isolate it."""
    manifests = shop()
    write(policy_of(manifests, "store"), "spec.ingress", [])
    proof = proof_of(manifests, EDGE)
    assert proof.proven == frozenset()
    assert proof.of_kind("missing")[0].causes == (
        "NetworkPolicy shop/web egress[0]",
        "no ingress rule of NetworkPolicy shop/deny-all, NetworkPolicy shop/store",
    )


def test_a_permission_that_only_one_end_gives_is_surplus() -> None:
    """Today the other end still denies it; the next change of that end would open it."""
    manifests = shop()
    write(policy_of(manifests, "web"), "spec.egress[0].ports", [*PORT, {"protocol": "TCP", "port": 22}])
    proof = proof_of(manifests, EDGE)
    assert proof.of_kind("extra") == ()
    assert {each.ports for each in proof.of_kind("surplus")} == {("TCP/22",)}
    assert "NetworkPolicy shop/web egress[0]" in proof.of_kind("surplus")[0].causes


def test_a_pod_that_no_policy_isolates_is_reported_as_such() -> None:
    """Without the default deny a pod that nobody labelled is open to everybody."""
    manifests = [m for m in shop() if m["metadata"]["name"] != "deny-all"]
    found = [each for each in proof_of(manifests, EDGE).of_kind("extra") if each.source == "1.1.1.1"]
    assert [(each.destination, each.causes) for each in found] == [
        (
            f"a pod without labels in {NAMESPACE}",
            (f"no NetworkPolicy isolates a pod without labels in {NAMESPACE} for ingress",),
        )
    ]


def test_an_edge_to_a_node_without_pods_is_missing() -> None:
    """An edge that was never tested is not proven."""
    lost = Edge("web", "gone", "TCP", 1)
    proof = proof_of(shop(), EDGE, lost)
    assert proof.proven == frozenset({EDGE})
    assert [(each.kind, each.destination, each.causes) for each in proof.differences] == [
        ("missing", "gone", ("no such pod",))
    ]


def test_pods_that_an_operator_makes_take_part() -> None:
    """A store whose pods no manifest shows is known by the labels that the declaration gives it."""
    manifests = [m for m in shop() if m["kind"] != "Deployment" or m["metadata"]["name"] != "store"]
    declaration = Declaration(
        frozenset({EDGE}), operator_pods={"store": selector("store")}, operator_namespace=NAMESPACE
    )
    proof = prove(manifests, declaration)
    assert (proof.proven, proof.differences) == (frozenset({EDGE}), ())


def test_the_internet_is_public_addresses_only() -> None:
    """A block without its exceptions reaches the networks of the cluster, and each is named."""
    manifests = shop()
    rule = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 443}]}
    policy_of(manifests, "web")["spec"]["egress"].append(rule)
    proof = proof_of(manifests, EDGE, Edge("web", INTERNET, "TCP", 443))
    reached = {each.destination for each in proof.of_kind("extra")}
    assert {"169.254.169.254", "10.96.0.1", "192.168.0.10", "198.18.0.10"} <= reached
    assert "1.1.1.1" not in reached


STRANGERS = {
    "a namespace by name": (
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tools"}}},
        {"a pod without labels in tools"},
    ),
    "a namespace by label": (
        {"namespaceSelector": {"matchLabels": {"team": "red"}}},
        {"a pod without labels in elsewhere (team=red)"},
    ),
    "a namespace that has a label": (
        {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}},
        {"a pod without labels in elsewhere (team=anything)"},
    ),
    "several namespaces": (
        {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["red", "blue"]}]}},
        {"a pod without labels in elsewhere (team=red)", "a pod without labels in elsewhere (team=blue)"},
    ),
    "labels of pods in every namespace": (
        {"namespaceSelector": {}, "podSelector": {"matchLabels": {"role": "debug"}}},
        {"a pod in elsewhere with the labels role=debug"},
    ),
    "labels of the stack's own namespace": (
        {
            "namespaceSelector": {"matchLabels": {"pod-security.kubernetes.io/enforce": "restricted"}},
            "podSelector": {"matchLabels": selector("store")},
        },
        {
            "a pod in elsewhere (pod-security.kubernetes.io/enforce=restricted) with the labels "
            + ", ".join(f"{key}={value}" for key, value in selector("store").items())
        },
    ),
}


@pytest.mark.parametrize(("peer", "expected"), STRANGERS.values(), ids=STRANGERS.keys())
def test_a_peer_that_nobody_known_is_lets_strangers_in(peer: Manifest, expected: set[str]) -> None:
    """Every pod with the labels that a rule names may connect, though the stack shows no such pod."""
    manifests = shop()
    write(policy_of(manifests, "web"), "spec.ingress", [{"from": [peer], "ports": PORT}])
    found = proof_of(manifests, EDGE).of_kind("extra")
    assert expected <= {each.source for each in found}
    assert {"NetworkPolicy shop/web ingress[0]"} <= {cause for each in found for cause in each.causes}


def test_a_named_port_of_others_is_whatever_they_call_so() -> None:
    """A pod in another namespace may name any port `web`; an address outside has no names."""
    manifests = shop()
    peers = [{"namespaceSelector": {"matchLabels": {"team": "red"}}}, {"ipBlock": {"cidr": "1.1.1.1/32"}}]
    policy_of(manifests, "web")["spec"]["egress"].append({"to": peers, "ports": [{"port": "web"}]})
    found = proof_of(manifests, EDGE).of_kind("extra")
    assert {(each.destination, each.ports) for each in found} == {
        ("a pod without labels in elsewhere (team=red)", ("TCP/9",))
    }


def test_a_label_that_no_pod_of_the_namespace_has_is_surplus_until_a_pod_has_it() -> None:
    """The default deny closes off the one who would come; the rule is there for nobody."""
    manifests = shop()
    in_list = {"key": "role", "operator": "In", "values": ["debug"]}
    peers = [{"podSelector": {"matchExpressions": [in_list]}}]
    write(policy_of(manifests, "web"), "spec.ingress", [{"from": peers, "ports": PORT}])
    proof = proof_of(manifests, EDGE)
    assert {each.kind for each in proof.differences} == {"surplus"}
    assert {each.source for each in proof.differences} == {f"a pod in {NAMESPACE} with the labels role=debug"}


def test_a_policy_that_opens_pods_which_nobody_shows_is_extra() -> None:
    """A door that is left open for a pod of tomorrow is open today for everyone who can start one."""
    manifests = [*shop(), network_policy("door")]
    write(policy_of(manifests, "door"), "spec.podSelector", {"matchLabels": {"role": "debug"}})
    write(policy_of(manifests, "door"), "spec.ingress", [{}])
    found = proof_of(manifests, EDGE).of_kind("extra")
    assert {each.destination for each in found} == {f"a pod in {NAMESPACE} with the labels role=debug"}
    assert "1.1.1.1" in {each.source for each in found}


def test_a_platform_stack_lets_through_exactly_what_it_declares(stack: Stack) -> None:
    """Every declared edge is proven and nothing differs, within two seconds of one processor."""
    begin = time.process_time()
    proof = prove(stack.manifests, declaration_of(stack.platform))
    assert time.process_time() - begin < 2
    assert proof.differences == ()
    assert proof.proven == proof.declared
    assert Edge(INGRESS, "api-gateway", "TCP", 3000) in proof.declared
    assert len(proof.declared) >= 18


@pytest.mark.gate
def test_the_prover_notices_every_mutant_of_the_platforms_policies(stack: Stack, *, whole: bool) -> None:
    """Whatever changes who reaches whom is named; what it keeps quiet about changes nothing."""
    every = 1 if whole else 5
    result = judge_prover(stack.manifests, declaration_of(stack.platform), every)
    assert result.unnoticed == ()
    assert len(result.noticed) > 300 // every
    # What is left changes nothing: it lies beyond the highest address, or another rule says the same once more.
    # A policy that opens nothing, as that of a drill, says what the default deny says, so no change of it counts.
    silent = {
        f"NetworkPolicy {policy['metadata']['namespace']}/{policy['metadata']['name']}"
        for policy in ManifestSet(stack.manifests).of("NetworkPolicy")
        if not policy["spec"].get("ingress") and not policy["spec"].get("egress")
    }
    left = [mutant for mutant in result.equivalent if mutant.subject not in silent]
    assert len(left) < len(result.noticed) // 50


def test_a_prover_that_looks_away_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the mutation test: without its differences no mutant counts as noticed."""
    blind = Proof(frozenset(), frozenset(), ())
    monkeypatch.setattr("policy.proof.reachability.Prover.judge", lambda *_: blind)
    result = judge_prover(shop(), Declaration(frozenset({EDGE})))
    assert result.noticed == ()
    assert len(result.unnoticed) > 10


def test_mutants_change_one_policy_and_leave_the_original_alone() -> None:
    """Each is the given set but for one policy, and every part of a rule is changed in some way."""
    policies = ManifestSet(shop()).of("NetworkPolicy")
    before = copy.deepcopy(policies)
    changes = [mutant.change for mutant in mutants(policies) if mutant.subject == "NetworkPolicy shop/web"]
    assert policies == before
    assert len(set(changes)) == len(changes)
    for part in ("removed", "policyTypes", "spec.egress[0].to", "spec.egress[0].ports[0].endPort", "spec.podSelector"):
        assert any(part in change for change in changes), part
    assert read(network_policy("web"), "spec.policyTypes") == ["Ingress", "Egress"]


def test_the_command_prints_the_figures_of_a_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Edges declared and proven, differences, mutants; a difference makes it fail and is printed."""
    stack = load_stack("alpha")
    policies = ManifestSet(stack.manifests).of("NetworkPolicy")
    monkeypatch.setattr("policy.proof.mutation.mutants", lambda _: iter(list(mutants(policies))[:3]))
    lines, good = prove_stack(stack)
    declared = len(declaration_of(stack.platform).edges)
    assert good
    assert lines[0] == f"alpha: edges declared {declared}, edges proven {declared}, extra 0, missing 0, surplus 0"
    assert lines[1].startswith("  mutants noticed 3 of 3 ")
    broken = [m for m in stack.manifests if m["metadata"]["name"] != "deny-all"]
    lines, good = prove_stack(Stack(stack.name, stack.platform, broken, stack.parameters))
    assert not good
    assert any("no NetworkPolicy isolates a pod without labels in alt-las" in line for line in lines)
