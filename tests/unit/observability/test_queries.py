"""No query of a stack asks for a metric that no exporter has."""

from typing import Any

import pytest

from components.observability.dashboards import expressions
from components.stack.loading import parse_platform
from rendering.recorder import record
from tests.policy.settings_variations import repeatable, variation
from tests.support.documents import STACKS, alpha_settings, alpha_with, platform_of
from tests.support.known_metrics import exported_metrics, series_of
from tests.support.promql import dashboards_of, metric_names, unknown_metrics


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


EXTERNAL = {"mode": "external", "external": {"monitorLabels": {"release": "stack"}}}
DOCUMENTS = {
    **{stack: platform_of(stack) for stack in STACKS},
    "other monitoring": alpha_with({"prometheus": EXTERNAL, "alertmanager": None}),
    **{f"variation {number}": variation(platform_of("beta"), repeatable(number)) for number in range(4)},
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_no_rule_and_no_dashboard_asks_for_an_unknown_metric(document: dict[str, Any]) -> None:
    """An empty panel tells nobody that its name is wrong, and such an alert never fires."""
    made = record("alpha", document).objects
    assert unknown_metrics(made, series_of(parse_platform(document))) == []
    assert dashboards_of(made)


def test_an_unknown_metric_is_named_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the rule, or the dashboard and the panel."""
    monkeypatch.setattr(expressions, "ERRORS", "service:slo_errorz:ratio_rate")
    document = platform_of("alpha")
    made = record("alpha", document).objects
    found = unknown_metrics(made, series_of(parse_platform(document)) - {"redis_up"})
    assert any(each.startswith("rule RedisDown: redis_up") for each in found)
    assert any(each.startswith("dashboard ") and ", panel " in each and "slo_errorz" in each for each in found)


def test_a_histogram_is_asked_for_by_its_series_only() -> None:
    """There is no series of the bare name."""
    known = series_of(alpha_settings())
    assert {f"http_request_duration_ms_{suffix}" for suffix in ("bucket", "count", "sum")} <= known
    assert "http_request_duration_ms" not in known


def test_every_known_metric_is_listed_once_and_has_a_source() -> None:
    """Two entries would contradict each other sooner or later."""
    names = [metric.name for metric in exported_metrics()]
    assert len(names) == len(set(names))
    assert all(metric.source and metric.exporter for metric in exported_metrics())
