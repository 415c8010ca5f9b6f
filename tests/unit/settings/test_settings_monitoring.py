"""Settings of metrics, objectives and alerts: what is refused, and with which words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.settings.labels import bounded_label
from components.settings.prometheus import BYTES_PER_SAMPLE, RETENTION_SHARE
from tests.support.documents import alpha_settings, alpha_with, only_problem

EXTERNAL = {"mode": "external", "external": {"monitorLabels": {"release": "stack"}}}


def with_prometheus(**changes: Any) -> dict[str, Any]:
    """Alpha's document with a Prometheus of its own, changed at its first level, without alert receivers."""
    return alpha_with({"prometheus": changes, "alertmanager": None})


@pytest.mark.parametrize("percent", [100, 100.0, 100.5, 1000])
@pytest.mark.parametrize("objective", ["availabilityPercent", "latencyPercent"])
def test_an_objective_of_100_percent_or_more_is_refused(objective: str, percent: float) -> None:
    """It leaves no error budget, so every failure would be an alert."""
    path, message = only_problem(alpha_with({f"services.runner-service.slo.{objective}": percent}))
    assert path == f"services.runner-service.slo.{objective}"
    assert "no error budget" in message
    assert message.endswith("write less than 100, such as 99.5")


@pytest.mark.parametrize("percent", [0, 50, 93])
def test_an_objective_so_low_that_no_burn_rate_could_ever_wake_anybody_is_refused(percent: float) -> None:
    """At 93 % a complete outage burns 14.3 times too fast, and the page begins at 14.4."""
    path, message = only_problem(alpha_with({"services.runner-service.slo.availabilityPercent": percent}))
    assert path == "services.runner-service.slo.availabilityPercent"
    assert message.endswith("write more than 93.06")


def test_a_promise_about_errors_needs_metrics_that_count_them() -> None:
    """Nothing pretends: a service without metrics has no share of errors."""
    path, message = only_problem(alpha_with({"services.archive-service.slo": {"successPercent": 99}}))
    assert path == "services.archive-service"
    assert message.startswith("slo.successPercent promises")
    assert "remove the promise" in message


def test_a_retention_that_its_volume_cannot_hold_is_refused() -> None:
    """30 days of 1 million series every 15 seconds are more than 10Gi."""
    document = with_prometheus(retentionDays=30, expectedSeries=1000000, scrapeIntervalSeconds=15, storageSize="10Gi")
    path, message = only_problem(document)
    assert path == "prometheus"
    assert message.startswith("retentionDays (30) takes 329589Mi at 1000000 series every 15 seconds")
    assert message.endswith("only 8192Mi are for it; lower retentionDays or raise storageSize")


@given(days=st.integers(1, 400), series=st.integers(100, 10**6), interval=st.integers(5, 300))
def test_the_retention_is_accepted_exactly_where_it_fits(days: int, series: int, interval: int) -> None:
    """The bytes of all samples against the share of the volume that is for them."""
    fits = series * days * 86400 / interval * BYTES_PER_SAMPLE < (10 * 1024 * RETENTION_SHARE + 1) * 2**20
    document = with_prometheus(retentionDays=days, expectedSeries=series, scrapeIntervalSeconds=interval)
    if fits:
        assert alpha_settings({"prometheus": document["prometheus"], "alertmanager": None}).prometheus
    else:
        assert only_problem(document)[0] == "prometheus"


@pytest.mark.parametrize(
    "label", ["request_id", "trace-id", "userEmail", "pod-template-hash", "session", "example.com/uid", "url"]
)
def test_a_label_of_unbounded_cardinality_is_refused(label: str) -> None:
    """Every request or user would be a series of its own."""
    path, message = only_problem(with_prometheus(podTargetLabels=["app.kubernetes.io/version", label]))
    assert path == "prometheus.podTargetLabels[1]"
    assert message.startswith(f"{label!r} is a label without bounds")
    assert message.endswith("use one with few values, such as app.kubernetes.io/version")


@pytest.mark.parametrize("label", ["app.kubernetes.io/version", "track", "phase", "service", "grid", "valid", "period"])
def test_a_label_with_few_values_is_accepted(label: str) -> None:
    """Words count, not letters: `grid` does not end in `id`."""
    assert bounded_label(label) == label


@pytest.mark.parametrize("label", ["", "-x", "a b", "x/"])
def test_what_is_no_label_is_refused(label: str) -> None:
    """Before its cardinality is a question."""
    with pytest.raises(ValueError, match="is not the name of a label"):
        bounded_label(label)


@pytest.mark.parametrize(
    ("receiver", "found"),
    [
        ({"name": "chat"}, "has no address"),
        ({"name": "chat", "webhook": None, "mail": None}, "has no address"),
        (
            {
                "name": "chat",
                "webhook": {},
                "mail": {"to": "a@example.com", "sender": "b@example.com", "host": "mail.example.com"},
            },
            "has two addresses",
        ),
    ],
)
def test_a_receiver_without_an_address_is_refused(receiver: dict[str, Any], found: str) -> None:
    """Nobody would be told, and nobody would know."""
    path, message = only_problem(alpha_with({"prometheus": {}, "alertmanager": {"receivers": [receiver]}}))
    assert path == "alertmanager.receivers[0]"
    assert message.startswith(f"the receiver 'chat' {found}")
    assert "exactly one of webhook and mail" in message


def test_a_route_to_an_unknown_receiver_is_refused() -> None:
    """With the names that there are."""
    path, message = only_problem(alpha_with({"prometheus": {}, "alertmanager": {"routes": {"page": "chat"}}}))
    assert (path, message) == ("alertmanager", "routes.page names the unknown receiver 'chat'; known: nobody")


@pytest.mark.parametrize(
    ("prometheus", "found"),
    [({"mode": "external"}, "is missing"), ({"external": EXTERNAL["external"]}, "is there although mode is managed")],
)
def test_the_mode_and_the_description_of_the_other_prometheus_go_together(
    prometheus: dict[str, Any], found: str
) -> None:
    """Without it nobody knows which labels the other one selects."""
    path, message = only_problem(with_prometheus(**prometheus))
    assert path == "prometheus"
    assert message.startswith(f"external {found}")


def test_an_alertmanager_that_nobody_sends_alerts_to_is_refused() -> None:
    """In the mode external the cluster's own Prometheus has one."""
    path, message = only_problem(alpha_with({"prometheus": EXTERNAL, "alertmanager": {}}))
    assert path == ""
    assert message.startswith("alertmanager is there, but no Prometheus of the stack's own")


@pytest.mark.parametrize("url", ["http://example.com/hook", "https://user:word@example.com/", "example.com"])
def test_a_webhook_s_plain_address_is_https_and_holds_no_password(url: str) -> None:
    """An address that lets anybody write belongs into the secret."""
    receiver = {"name": "chat", "webhook": {"url": url}}
    path, message = only_problem(alpha_with({"prometheus": {}, "alertmanager": {"receivers": [receiver]}}))
    assert path == "alertmanager.receivers[0].webhook.url"
    assert "such as https://alerts.example.com/hook" in message
