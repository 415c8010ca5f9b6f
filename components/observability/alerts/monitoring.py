"""Alerts about monitoring itself: what is not seen, what is not delivered, and the sign of life."""

from collections.abc import Iterable, Iterator

from components.observability.alerts.alert import Alert
from components.settings import PlatformSettings


def monitoring_alerts(platform: PlatformSettings, jobs: Iterable[str]) -> Iterator[Alert]:
    """All of them.

    Args:
        platform: The stack's settings.
        jobs: Every job that must have a target.
    """
    where = f'namespace="{platform.namespace}"'
    yield from _targets(where, jobs)
    if platform.prometheus and platform.prometheus.is_managed:
        yield from _prometheus(where, has_alertmanager=platform.alertmanager is not None)
        yield Alert(
            name="Watchdog",
            expression="vector(1)",
            minutes=0,
            severity="heartbeat",
            summary="Alerts are computed and delivered",
            description="Always fires. A receiver outside the cluster must notice when it stops coming.",
        )


def _targets(where: str, jobs: Iterable[str]) -> Iterator[Alert]:
    yield Alert(
        name="TargetDown",
        expression=f"up{{{where}}} == 0",
        minutes=5,
        severity="ticket",
        summary="{{ $labels.job }}: {{ $labels.instance }} cannot be scraped",
        description="Nothing is known about it any more, so no other alert about it can fire.",
    )
    for job in jobs:
        yield Alert(
            name="TargetMissing",
            expression=f'absent(up{{{where},job="{job}"}})',
            minutes=10,
            severity="ticket",
            summary=f"{job}: there is nothing to scrape",
            description="Its pods are gone, or Prometheus does not find them; no other alert about it can fire.",
            labels={"service": job},
        )


def _prometheus(where: str, *, has_alertmanager: bool) -> Iterator[Alert]:
    yield Alert(
        name="PrometheusConfigurationRejected",
        expression=f"prometheus_config_last_reload_successful{{{where}}} == 0",
        minutes=10,
        severity="page",
        summary="{{ $labels.pod }} has refused its newest configuration",
        description="It goes on with the old one: what was added since is neither scraped nor an alert.",
    )
    yield Alert(
        name="PrometheusRuleFailures",
        expression=f"increase(prometheus_rule_evaluation_failures_total{{{where}}}[15m]) > 0",
        minutes=5,
        severity="page",
        summary="{{ $labels.pod }} cannot evaluate {{ $labels.rule_group }}",
        description="Alerts of this group may not fire.",
    )
    yield Alert(
        name="MetricsDroppedEarly",
        expression=f"increase(prometheus_tsdb_size_retentions_total{{{where}}}[1d]) > 0",
        minutes=0,
        severity="ticket",
        summary="{{ $labels.pod }} keeps metrics for less than retentionDays",
        description="Its volume is too small for the ingest, so the oldest blocks went before their time.",
    )
    if has_alertmanager:
        yield Alert(
            name="PrometheusWithoutAlertmanager",
            expression=f"prometheus_notifications_alertmanagers_discovered{{{where}}} < 1",
            minutes=10,
            severity="page",
            summary="{{ $labels.pod }} knows no Alertmanager",
            description="Alerts fire, but nobody gets them; this one shows in Prometheus, or by the missing Watchdog.",
        )
        yield Alert(
            name="AlertsNotDelivered",
            expression=f"rate(alertmanager_notifications_failed_total{{{where}}}[5m]) > 0",
            minutes=5,
            severity="page",
            summary="{{ $labels.integration }} does not take alerts",
            description="A receiver is not told; what it should know is in Alertmanager.",
        )
