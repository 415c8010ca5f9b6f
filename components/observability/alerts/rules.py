"""All rules of a stack: what is recorded, what is an alert, and the objects that carry them."""

from collections.abc import Iterable, Iterator
from typing import Any

from components.kubernetes.object import Manifest
from components.observability.alerts.alert import Alert
from components.observability.alerts.logs import log_alerts
from components.observability.alerts.monitoring import monitoring_alerts
from components.observability.alerts.platform import platform_alerts
from components.observability.alerts.slo import burn_alerts, recording_rules
from components.observability.alerts.stores import store_alerts
from components.observability.metrics.monitors import monitor_metadata
from components.settings import PlatformSettings
from components.workloads.operated import API_VERSION

Group = dict[str, Any]
"""A group of rules, as Prometheus reads it."""


def alerts(platform: PlatformSettings, jobs: Iterable[str]) -> tuple[Alert, ...]:
    """Every alert of a stack.

    Args:
        platform: The stack's settings.
        jobs: Every job that must have a target.
    """
    return (
        *burn_alerts(platform),
        *platform_alerts(platform),
        *store_alerts(platform),
        *log_alerts(platform),
        *monitoring_alerts(platform, jobs),
    )


def groups(platform: PlatformSettings, jobs: Iterable[str]) -> list[Group]:
    """Every group of rules of a stack."""
    made: list[Group] = [
        {"name": "objectives", "rules": recording_rules(platform)},
        {"name": "budgets", "rules": [alert.as_rule() for alert in burn_alerts(platform)]},
        {"name": "platform", "rules": [alert.as_rule() for alert in platform_alerts(platform)]},
        {"name": "stores", "rules": [alert.as_rule() for alert in store_alerts(platform)]},
        {"name": "logs", "rules": [alert.as_rule() for alert in log_alerts(platform)]},
        {"name": "monitoring", "rules": [alert.as_rule() for alert in monitoring_alerts(platform, jobs)]},
    ]
    return [group for group in made if group["rules"]]


def rule_objects(platform: PlatformSettings, jobs: Iterable[str]) -> Iterator[Manifest]:
    """An object for each group, so that a change shows which one it touches."""
    settings = platform.prometheus
    if settings is None:
        return
    for group in groups(platform, jobs):
        yield {
            "apiVersion": API_VERSION,
            "kind": "PrometheusRule",
            "metadata": monitor_metadata(str(group["name"]), settings, platform),
            "spec": {"groups": [group]},
        }
