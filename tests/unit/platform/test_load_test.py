"""Template of a load test inside the cluster, and the traffic that it is allowed."""

from typing import Any

import pytest

from policy.proof.declaration import declaration_of
from policy.proof.reachability import prove
from policy.stacks import Stack, load_stack
from rendering.recorder import record
from tests.support.documents import alpha_with, platform_of
from tests.support.program import find

IMAGE = {"repository": "locustio/locust", "tag": "2.47.0"}
DOCUMENT = alpha_with({"loadTest.image": IMAGE})


@pytest.fixture(scope="module")
def stack() -> Stack:
    """Alpha with load tests inside the cluster."""
    return load_stack("alpha", DOCUMENT)


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """Its objects."""
    return record("alpha", DOCUMENT).objects


def test_three_objects_come_with_an_image_and_none_without(objects: list[dict[str, Any]]) -> None:
    """A ServiceAccount, a NetworkPolicy and a CronJob that never runs by itself."""
    plain = {(each["kind"], each["metadata"]["name"]) for each in record("alpha", platform_of("alpha")).objects}
    more = {(each["kind"], each["metadata"]["name"]) for each in objects} - plain
    assert more == {("ServiceAccount", "load-test"), ("NetworkPolicy", "load-test"), ("CronJob", "load-test")}
    cron_job = find(objects, "CronJob", "load-test")["spec"]
    assert cron_job["suspend"]
    pod = cron_job["jobTemplate"]["spec"]["template"]["spec"]
    assert not pod["automountServiceAccountToken"]
    assert pod["securityContext"]["runAsNonRoot"]
    (container,) = pod["containers"]
    assert container["image"] == "locustio/locust:2.47.0"
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_its_pod_reaches_the_gateway_and_dns_and_nothing_else(objects: list[dict[str, Any]]) -> None:
    """And nobody reaches it."""
    spec = find(objects, "NetworkPolicy", "load-test")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["ingress"] == []
    gateway, dns = spec["egress"]
    (peer,) = gateway["to"]
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "api-gateway"
    assert gateway["ports"] == [{"protocol": "TCP", "port": 3000}]
    assert {each["port"] for each in dns["ports"]} == {53}


def test_the_proof_of_traffic_knows_it(stack: Stack) -> None:
    """Exactly what is declared is possible; without the policy the proof fails."""
    declaration = declaration_of(stack.platform)
    proof = prove(stack.manifests, declaration)
    assert (proof.proven, proof.differences) == (proof.declared, ())
    without = [
        each for each in stack.manifests if (each["kind"], each["metadata"]["name"]) != ("NetworkPolicy", "load-test")
    ]
    assert prove(without, declaration).differences


def test_in_a_mesh_its_pod_has_an_identity_that_the_gateway_admits() -> None:
    """It is in the mesh, and the proof holds there, too."""
    found = load_stack("alpha", alpha_with({"loadTest.image": IMAGE, "mesh": {"mode": "ambient"}}))
    template = find(found.manifests, "CronJob", "load-test")["spec"]["jobTemplate"]["spec"]["template"]
    assert "istio.io/dataplane-mode" not in template["metadata"]["labels"]
    rules = find(found.manifests, "AuthorizationPolicy", "api-gateway")["spec"]["rules"]
    principals = [each for rule in rules for source in rule["from"] for each in source["source"]["principals"]]
    assert "cluster.local/ns/alt-las/sa/load-test" in principals
    proof = prove(found.manifests, declaration_of(found.platform))
    assert (proof.proven, proof.differences) == (proof.declared, ())
