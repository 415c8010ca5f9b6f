"""Which metrics a query asks for, and the refusal of unknown ones."""

import pytest

from components.observability.alerts.known_metrics import exported_metrics, known_series
from components.observability.alerts.queries import UnknownMetricError, metric_names, require_known


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (
            'sum by (le, service) (rate(http_request_duration_ms_bucket{code=~"5.."}[5m]))',
            {"http_request_duration_ms_bucket"},
        ),
        ("up == 0 and on (instance) probe_success offset 5m", {"up", "probe_success"}),
        ("avg_over_time((probe_duration_seconds > bool 0.35)[5m:30s])", {"probe_duration_seconds"}),
        ("a:b:c5m / on (x) group_left (y) d > 14.4 * 1e3", {"a:b:c5m", "d"}),
        ('absent(up{job="rate(x)"}) or vector(1)', {"up"}),
        ('rate(redis_up{service="$service"}[$__rate_interval])', {"redis_up"}),
        ("time() - kube_cronjob_status_last_successful_time > Inf", {"kube_cronjob_status_last_successful_time"}),
    ],
)
def test_names_of_metrics_are_told_from_functions_labels_and_durations(query: str, names: set[str]) -> None:
    """The tests with the real programs compare the same reading with Prometheus' own parser."""
    assert metric_names(query) == names


def test_a_query_on_an_unknown_metric_is_refused_with_its_place_and_a_cure() -> None:
    """An empty panel tells nobody that its name is wrong."""
    with pytest.raises(UnknownMetricError) as caught:
        require_known("dashboard overview, panel 3", "rate(http_requests_totl[5m]) + up", known_series())
    message = str(caught.value)
    assert message.startswith("dashboard overview, panel 3: asks for http_requests_totl, which no exporter")
    assert "components/observability/alerts/known_metrics.py" in message


def test_a_histogram_is_asked_for_by_its_series_only() -> None:
    """There is no series of the bare name."""
    known = known_series()
    assert {f"http_request_duration_ms_{suffix}" for suffix in ("bucket", "count", "sum")} <= known
    assert "http_request_duration_ms" not in known


def test_every_known_metric_is_listed_once_and_has_a_source() -> None:
    """Two entries would contradict each other sooner or later."""
    names = [metric.name for metric in exported_metrics()]
    assert len(names) == len(set(names))
    assert all(metric.source and metric.exporter for metric in exported_metrics())
