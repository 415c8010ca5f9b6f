"""The proof of who reaches whom, with a second set of pods that Flagger makes of a service."""

import copy
from typing import Any

import pytest

from policy.manifests import name_of
from policy.paths import write
from policy.proof.declaration import declaration_of
from policy.proof.reachability import prove
from policy.stacks import Stack, load_stack, read_document
from tests.support.documents import STACKS

PRIMARY = "api-gateway-primary"


def with_canary(stack: str, mode: str = "off") -> Stack:
    """A stack whose gateway is released by a canary."""
    document = read_document(stack)
    write(document, "services.api-gateway.metrics", {})
    write(document, "services.api-gateway.canary", {"approval": True})
    write(document, "flagger", {"approvals": {}})
    write(document, "ingress.api", "gateway")
    write(document, "mesh", {"mode": mode})
    return load_stack(stack, document)


@pytest.mark.parametrize("mode", ["off", "ambient"])
@pytest.mark.parametrize("stack", STACKS)
def test_the_pods_that_flagger_makes_reach_what_the_service_may_and_nothing_else(stack: str, mode: str) -> None:
    """No edge more and none less, for both sets of pods; Flagger reaches Prometheus and what knows of approvals."""
    found = with_canary(stack, mode)
    proof = prove(found.manifests, declaration_of(found.platform))
    assert proof.differences == ()
    edges = {str(each) for each in proof.proven}
    assert {
        "flagger-system/flagger -> prometheus TCP/9090",
        "flagger-system/flagger -> canary-approvals TCP/8080",
    } <= edges
    others = [each for each in edges if "-> canary-approvals" in each and "flagger" not in each]
    assert len(others) == 1, others


@pytest.mark.parametrize(
    ("policy", "path"),
    [("api-gateway", "spec.podSelector"), ("archive-service", "spec.ingress[0].from")],
    ids=["own policy", "policy of who is called"],
)
def test_a_policy_that_forgets_them_is_found(policy: str, path: str) -> None:
    """As every policy did that knows one set of pods only."""
    found = with_canary("alpha")
    manifests = copy.deepcopy(found.manifests)
    (changed,) = (each for each in manifests if (each["kind"], name_of(each)) == ("NetworkPolicy", policy))
    only: dict[str, Any] = {
        "matchLabels": {"app.kubernetes.io/name": "api-gateway", "app.kubernetes.io/part-of": "alt-las"}
    }
    write(changed, path, only if path.endswith("podSelector") else [{"podSelector": only}])
    differences = prove(manifests, declaration_of(found.platform)).differences
    assert {each.kind for each in differences} >= {"missing"}
    assert any(PRIMARY in (each.source, each.destination) for each in differences)


def test_in_a_mesh_the_second_set_of_pods_has_the_callers_of_the_service() -> None:
    """Istio's policies select by labels alone, so there are two with the same rules."""
    policies = {
        name_of(each): each["spec"]
        for each in with_canary("alpha", "ambient").manifests
        if "istio" in str(each["apiVersion"])
    }
    assert policies[PRIMARY]["rules"] == policies["api-gateway"]["rules"]
    assert policies[PRIMARY]["selector"]["matchLabels"]["app.kubernetes.io/name"] == PRIMARY
    callers = [rule["from"][0]["source"]["principals"] for rule in policies["prometheus"]["rules"]]
    assert any("cluster.local/ns/flagger-system/sa/flagger" in each for each in callers)
