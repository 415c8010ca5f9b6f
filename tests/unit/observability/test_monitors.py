"""Monitors: the service that a series of kube-state-metrics is said to be about."""

import re
from collections.abc import Mapping

import pytest

from components.observability.metrics.monitors import monitors
from tests.support.documents import alpha_settings

EXPORTER = {"service": "kube-state-metrics"}


def relabelled(labels: Mapping[str, str]) -> str:
    """The label `service` of a series after the relabelling of its monitor, as Prometheus applies it."""
    found = {each["metadata"]["name"]: each for each in monitors(alpha_settings(), "prober:9115")}
    ((endpoint,), series) = found["kube-state-metrics"]["spec"]["podMetricsEndpoints"], EXPORTER | dict(labels)
    for rule in endpoint["metricRelabelings"]:
        text = rule["separator"].join(series.get(label, "") for label in rule["sourceLabels"])
        if match := re.fullmatch(rule["regex"], text):
            series[rule["targetLabel"]] = match[1]
    return series["service"]


@pytest.mark.parametrize(
    ("labels", "service"),
    [
        ({"pod": "runner-service-7f9c8d6b5-abcde", "container": "runner-service"}, "runner-service"),
        ({"deployment": "runner-service"}, "runner-service"),
        ({"statefulset": "redis"}, "redis"),
        ({"horizontalpodautoscaler": "runner-service"}, "runner-service"),
        ({"job_name": "redis-backup-29000000"}, "redis-backup-29000000"),
        ({"resourcequota": "platform"}, "kube-state-metrics"),
    ],
)
def test_a_series_about_an_object_has_the_name_of_its_service(labels: Mapping[str, str], service: str) -> None:
    """Alerts are grouped by it, so that crash loops of two services are two notifications."""
    assert relabelled(labels) == service
