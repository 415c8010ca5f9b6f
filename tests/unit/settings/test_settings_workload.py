"""Settings of a workload: resources, scaling, probes and shutdown."""

from typing import Any

import pytest

from tests.support.documents import alpha_settings, alpha_with, only_problem

ARCHIVE = "services.archive-service"


@pytest.mark.parametrize(("low", "high"), [(3, 2), (10, 1)])
def test_a_minimum_above_the_maximum_is_refused(low: int, high: int) -> None:
    """With both figures and both cures."""
    document = alpha_with({f"{ARCHIVE}.autoscaling": {"minReplicas": low, "maxReplicas": high}})
    assert only_problem(document) == (
        f"{ARCHIVE}.autoscaling",
        f"minReplicas ({low}) is above maxReplicas ({high}); lower the minimum or raise the maximum",
    )


def test_a_minimum_equal_to_the_maximum_is_a_range() -> None:
    """It holds a service at one size without taking its autoscaler away."""
    settings = alpha_settings({f"{ARCHIVE}.autoscaling": {"minReplicas": 2, "maxReplicas": 2}})
    assert settings.services.archive_service.autoscaling is not None


@pytest.mark.parametrize(
    ("what", "request_", "limit"),
    [("cpu", "501m", "500m"), ("cpu", "1", "999m"), ("memory", "513Mi", "512Mi"), ("memory", "1Gi", "1023Mi")],
)
def test_a_request_above_its_limit_is_refused(what: str, request_: str, limit: str) -> None:
    """Across units, too: one core is more than 999 millicores."""
    changes = {f"{ARCHIVE}.resources.requests.{what}": request_, f"{ARCHIVE}.resources.limits.{what}": limit}
    assert only_problem(alpha_with(changes)) == (
        f"{ARCHIVE}.resources",
        f"the {what} request ({request_}) is above its limit ({limit}); lower the request or raise the limit",
    )


def test_a_request_for_disk_above_its_limit_is_refused() -> None:
    """With the path of the two."""
    assert only_problem(alpha_with({f"{ARCHIVE}.resources.ephemeralStorage": {"request": "1Gi", "limit": "1Mi"}})) == (
        f"{ARCHIVE}.resources.ephemeralStorage",
        "the request (1Gi) is above the limit (1Mi); lower the request or raise the limit",
    )


def test_both_requests_above_their_limits_are_said_in_one_message() -> None:
    """CPU first."""
    resources = {"requests": {"cpu": "2", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    _, message = only_problem(alpha_with({f"{ARCHIVE}.resources": resources}))
    assert message.startswith("the cpu request (2) is above its limit (1); ")
    assert "; the memory request (2Gi) is above its limit (1Gi); " in message


def test_a_request_equal_to_its_limit_is_allowed_in_any_unit() -> None:
    """1000m is 1, 1024Mi is 1Gi: the guaranteed class."""
    resources = {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    assert alpha_settings({f"{ARCHIVE}.resources": resources}).services.archive_service.resources.limits.cpu == "1"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("resources.limits.cpu", "0.5 cores", "is not a CPU quantity; write millicores such as '500m' or cores"),
        ("resources.requests.memory", "128M", "is not a memory quantity; write a whole number with its unit"),
        ("scratchSize", "0Mi", "is not a memory quantity; write a whole number with its unit"),
    ],
)
def test_a_quantity_that_cannot_be_read_is_refused_at_its_own_key(key: str, value: str, message: str) -> None:
    """And nothing else is said about its block."""
    path, said = only_problem(alpha_with({f"{ARCHIVE}.{key}": value}))
    assert path == f"{ARCHIVE}.{key}"
    assert said.startswith(message)


@pytest.mark.parametrize("pause", [45, 50])
def test_a_grace_period_must_leave_time_after_the_sleep(pause: int) -> None:
    """Or the container is killed before it gets SIGTERM."""
    document = alpha_with({f"{ARCHIVE}.shutdown": {"preStopSleepSeconds": pause}})
    assert only_problem(document) == (
        f"{ARCHIVE}.shutdown",
        f"preStopSleepSeconds ({pause}) leaves no time before gracePeriodSeconds (45) ends; raise the grace period",
    )


def test_a_probe_must_not_run_into_the_next() -> None:
    """A timeout above the period would start a second before the first has answered."""
    assert only_problem(alpha_with({f"{ARCHIVE}.probes": {"timeoutSeconds": 11}})) == (
        f"{ARCHIVE}.probes",
        "timeoutSeconds (11) is above periodSeconds (10), so probes would overlap; lower the timeout or raise the "
        "period",
    )


@pytest.mark.parametrize("key", ["readinessPath", "livenessPath"])
@pytest.mark.parametrize("value", ["health", "", "/a b"])
def test_a_probe_path_begins_with_a_slash_and_has_no_spaces(key: str, value: str) -> None:
    """Kubernetes would take it and get 404 for ever."""
    path, message = only_problem(alpha_with({f"{ARCHIVE}.probes": {key: value}}))
    assert path == f"{ARCHIVE}.probes.{key}"
    assert message.startswith("has the wrong form; write one such as /")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("autoscaling.scaleUp.stabilizationWindowSeconds", -1),
        ("autoscaling.scaleUp.stabilizationWindowSeconds", 3601),
        ("autoscaling.scaleDown.periodSeconds", 1801),
        ("autoscaling.scaleDown.percent", 0),
        ("autoscaling.scaleUp.pods", 0),
        (f"{ARCHIVE}.autoscaling.minReplicas", 0),
    ],
)
def test_figures_that_kubernetes_would_refuse_are_refused_here(key: str, value: Any) -> None:
    """The bounds are those of autoscaling/v2."""
    path, message = only_problem(alpha_with({key: value}))
    assert path == key
    assert message.startswith("should be ")
