"""VerticalPodAutoscalers that only recommend, and settings that would give a resource two autoscalers."""

import pytest

from altlas.update.preflight import needed_crds
from components.workloads.recommender import recommender
from rendering.recorder import record
from tests.support.documents import alpha_settings, alpha_with, only_problem

GATEWAY, RUNNER = "services.api-gateway", "services.runner-service"


def test_a_recommender_reads_the_pods_that_serve_and_never_changes_them() -> None:
    """With a canary these are the pods of Flagger's copy."""
    changes = {f"{GATEWAY}.recommend": ["memory"], "ingress.api": "gateway"}
    for canary, target in ((None, "api-gateway"), ({}, "api-gateway-primary")):
        objects = record("alpha", alpha_with(changes | {f"{GATEWAY}.canary": canary})).objects
        (found,) = (each for each in objects if each["kind"] == "VerticalPodAutoscaler")
        assert found == recommender(found["metadata"], target, ["memory"])
        assert found["metadata"]["name"] == "api-gateway"
        assert found["spec"]["updatePolicy"] == {"updateMode": "Off"}
        (policy,) = found["spec"]["resourcePolicy"]["containerPolicies"]
        assert policy["controlledResources"] == ["memory"]
    kinds = {each["kind"] for each in record("alpha", alpha_with({})).objects}
    assert "VerticalPodAutoscaler" not in kinds


@pytest.mark.parametrize(
    ("service", "resource", "words"),
    [(GATEWAY, "cpu", "recommend names cpu, and autoscaling"), (RUNNER, "memory", "autoscaling.scaleOnMemory")],
)
def test_a_resource_of_the_autoscaler_is_refused(service: str, resource: str, words: str) -> None:
    """Both sides and the cure are named; with a fixed number of pods nothing is refused."""
    path, message = only_problem(alpha_with({f"{service}.recommend": [resource]}))
    assert path == service
    assert words in message
    assert f"remove {resource} from recommend" in message
    fixed = {f"{service}.autoscaling": None, f"{service}.replicas": 2, f"{service}.recommend": ["cpu", "memory"]}
    assert alpha_settings(fixed).services.by_name()[service.partition(".")[2]].recommend == ("cpu", "memory")


def test_the_cluster_needs_the_definitions_only_where_something_is_recommended() -> None:
    """By the path of the setting, with the cure."""
    crds, cure = needed_crds(alpha_settings({f"{GATEWAY}.recommend": ["memory"]}))[f"{GATEWAY}.recommend"]
    assert crds == ("verticalpodautoscalers.autoscaling.k8s.io",)
    assert "or remove `recommend`" in cure
    assert not any("recommend" in path for path in needed_crds(alpha_settings()))
