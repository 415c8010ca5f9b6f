"""The proof of who reaches whom, with the services in a mesh."""

import copy

import pytest

from policy.proof.declaration import declaration_of
from policy.proof.reachability import prove
from policy.stacks import load_stack, read_document
from tests.support.documents import STACKS

CALLS, ENTRIES, MEMBERS = 6 + 5 + 2, 1, 5 + 4 + 1
"""Between services, to Alloy, from it and Grafana to Prometheus; from the ingress controller; who is in the mesh, Alloy
with two ports."""

PROBES, OBSERVERS = 5, 4
"""Services that are probed through the tunnel; who is in the mesh that Prometheus scrapes: itself, the prober, Alloy,
Grafana."""


@pytest.mark.parametrize("stack", STACKS)
def test_a_mesh_adds_the_tunnel_and_the_probes_and_nothing_else(stack: str) -> None:
    """Every declared edge is proven; none is extra, none is missing."""
    off = load_stack(stack, read_document(stack) | {"mesh": {"mode": "off"}})
    on = load_stack(stack, read_document(stack) | {"mesh": {"mode": "ambient"}})
    proofs = [prove(each.manifests, declaration_of(each.platform)) for each in (off, on)]
    assert [(proof.differences, proof.proven - proof.declared) for proof in proofs] == [((), frozenset())] * 2
    scraped = sum(each.metrics is not None for each in on.platform.services.by_name().values())
    added = CALLS + ENTRIES + MEMBERS + PROBES + OBSERVERS + scraped
    assert len(proofs[1].proven) == len(proofs[0].proven) + added


def test_a_hole_for_the_mesh_s_probes_is_found_where_there_is_no_mesh() -> None:
    """An edge that is right with a mesh is one too many without it."""
    off = load_stack("alpha", read_document("alpha") | {"mesh": {"mode": "off"}})
    manifests = copy.deepcopy(off.manifests)
    (policy,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == ("NetworkPolicy", "archive-service"))
    rule = {"from": [{"ipBlock": {"cidr": "169.254.7.127/32"}}], "ports": [{"protocol": "TCP", "port": 9000}]}
    policy["spec"]["ingress"].append(rule)
    found = prove(manifests, declaration_of(off.platform)).of_kind("extra")
    assert {(each.source, each.destination.partition(" ")[0], each.ports) for each in found} == {
        ("169.254.7.127", "archive-service", ("TCP/9000",))
    }


def test_a_range_that_a_stack_calls_private_is_not_reached() -> None:
    """Ranges cut out of the internet are neither missing nor reachable; forgetting them in the policies is found."""
    document = read_document("alpha")
    cut = load_stack("alpha", document | {"egress": {"privateRanges": ["8.8.8.0/24"]}})
    plain = load_stack("alpha", document)
    assert prove(cut.manifests, declaration_of(cut.platform)).differences == ()
    found = prove(plain.manifests, declaration_of(cut.platform)).differences
    assert {each.kind for each in found} <= {"extra"}
