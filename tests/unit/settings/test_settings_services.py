"""Settings of the services: who owns the replicas, ports, thresholds and caches."""

from itertools import pairwise

import pytest

from tests.support.documents import REMOVED, alpha_settings, alpha_with, only_problem

ARCHIVE = "services.archive-service"
SEGMENTATION = "services.segmentation-service"
ORCHESTRATOR = "services.ai-orchestrator"
OWNER = "exactly one of replicas and autoscaling decides the number of pods, but "
OWNER_CURE = "; set autoscaling for a range or replicas for a fixed number"
PORTS = {"api-gateway": 3000, "runner-service": 8080, "segmentation-service": 8000, "ai-orchestrator": 8001}


def test_replicas_and_autoscaling_together_are_refused() -> None:
    """Two owners of one field would fight."""
    document = alpha_with({f"{ARCHIVE}.replicas": 2})
    assert only_problem(document) == (ARCHIVE, f"{OWNER}both are set{OWNER_CURE}")


@pytest.mark.parametrize("value", [REMOVED, None])
def test_neither_replicas_nor_autoscaling_is_refused(value: object) -> None:
    """Left out and null are the same."""
    document = alpha_with({f"{ARCHIVE}.autoscaling": value})
    assert only_problem(document) == (ARCHIVE, f"{OWNER}neither is set{OWNER_CURE}")


def test_a_fixed_number_of_pods_replaces_the_range() -> None:
    """Null takes the autoscaler away."""
    settings = alpha_settings({f"{ARCHIVE}.autoscaling": None, f"{ARCHIVE}.replicas": 1})
    assert (settings.services.archive_service.replicas, settings.services.archive_service.autoscaling) == (1, None)


@pytest.mark.parametrize(("first", "second"), list(pairwise(PORTS)))
def test_a_port_that_two_services_use_is_refused(first: str, second: str) -> None:
    """With both names, whatever pair it is."""
    assert only_problem(alpha_with({f"services.{second}.port": PORTS[first]})) == (
        "services",
        f"port {PORTS[first]} is used twice, by {first} and {second}; give each service its own port, so that a "
        "network rule, a probe or a port-forward names one service only",
    )


@pytest.mark.parametrize(
    ("low", "high", "limit"), [(384, 384, "512Mi"), (400, 300, "512Mi"), (256, 512, "512Mi"), (256, 1025, "1Gi")]
)
def test_thresholds_must_rise_towards_the_memory_limit(low: int, high: int, limit: str) -> None:
    """A container that is killed first frees nothing."""
    document = alpha_with(
        {
            f"{SEGMENTATION}.memoryThresholdMebibytes": low,
            f"{SEGMENTATION}.highMemoryThresholdMebibytes": high,
            f"{SEGMENTATION}.resources.limits.memory": limit,
        }
    )
    assert only_problem(document) == (
        SEGMENTATION,
        f"memoryThresholdMebibytes ({low}), highMemoryThresholdMebibytes ({high}) and the memory limit ({limit}) must "
        "rise in this order, or the container is killed before it frees memory; lower the thresholds or raise the "
        "limit",
    )


def test_the_cache_must_fit_its_directory() -> None:
    """The pod would be evicted for what it wrote."""
    document = alpha_with({f"{ORCHESTRATOR}.cacheSizeLimitMebibytes": 257})
    assert only_problem(document) == (
        ORCHESTRATOR,
        "cacheSizeLimitMebibytes (257) is above scratchSize (256Mi), so the pod would be evicted; lower the cache or "
        "raise scratchSize",
    )
    assert alpha_settings({f"{ORCHESTRATOR}.cacheSizeLimitMebibytes": 256}).services.ai_orchestrator.port == 8001


def test_the_services_are_the_five_by_their_kubernetes_names() -> None:
    """In the order of declaration."""
    by_name = alpha_settings().services.by_name()
    assert {name: service.port for name, service in by_name.items()} == PORTS | {"archive-service": 9000}
    assert list(by_name) == [*PORTS, "archive-service"]


def test_a_sixth_service_is_refused() -> None:
    """It needs a component first."""
    path, message = only_problem(alpha_with({"services.archive-servise": {}}))
    assert path == "services.archive-servise"
    assert "did you mean 'archive-service'?" in message
