"""Targets, firing alerts and age of the backups of a stack, as its Prometheus reports them at this moment.

Queries go through the API server's proxy, so that no port has to be opened. Where Prometheus cannot be queried, the
answer is a reason instead of figures.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import cluster
from altlas.backup.request import STORES
from altlas.session.kubectl import Kubectl
from components.settings import PlatformSettings
from rendering.errors import CommandError

Ask = Callable[[str], str]
"""Queries a path of Prometheus' HTTP API, or raises CommandError."""

SERVICE = "prometheus-operated:web"
"""The Service that Prometheus Operator makes for a Prometheus, with the name of its port."""

_AGE = "time() - max by (store) (alt_las_backup_dump_last_success_timestamp_seconds)"
_WATCHDOG = "heartbeat"
_MINUTE, _HOUR, _DAY = 60, 3600, 24 * 3600


@dataclass(frozen=True, kw_only=True)
class MonitoringStatus:
    """Figures of Prometheus.

    Attributes:
        up: Targets whose last scrape succeeded.
        down: The others, each with the reason.
        firing: Firing alerts without the Watchdog.
        alive: Whether the Watchdog, which always fires, does.
        backup_seconds: Age of the newest good backup by store.
    """

    up: int
    down: tuple[str, ...]
    firing: tuple[str, ...]
    alive: bool
    backup_seconds: Mapping[str, float]


def through_the_api_server(kubectl: Kubectl, namespace: str) -> Ask:
    """Queries of the Prometheus of a stack, for users who may use the API server's proxy."""
    prefix = f"/api/v1/namespaces/{namespace}/services/{SERVICE}/proxy"
    return lambda path: kubectl.text("get", "--raw", f"{prefix}{path}")


def read_status(ask: Ask) -> MonitoringStatus:
    """Query Prometheus.

    Raises:
        CommandError: It does not answer, or the answer is not one of Prometheus.
    """
    targets = _data(ask("/api/v1/targets?state=active"), "activeTargets")
    alerts = [each for each in _data(ask("/api/v1/alerts"), "alerts") if each.get("state") == "firing"]
    ages = _data(ask(f"/api/v1/query?query={_quoted(_AGE)}"), "result")
    severities = [each["labels"].get("severity") for each in alerts]
    return MonitoringStatus(
        up=sum(each["health"] == "up" for each in targets),
        down=tuple(sorted(_target(each) for each in targets if each["health"] != "up")),
        firing=tuple(sorted(_alert(each["labels"]) for each in alerts if each["labels"]["severity"] != _WATCHDOG)),
        alive=_WATCHDOG in severities,
        backup_seconds={each["metric"]["store"]: float(each["value"][1]) for each in ages},
    )


def monitoring_status(platform: PlatformSettings, target: cluster.Target, kubectl: Kubectl) -> MonitoringStatus | str:
    """The figures of a stack's Prometheus, or the reason why there are none."""
    why = _unknown(platform, target)
    if why is not None:
        return why
    try:
        return read_status(through_the_api_server(kubectl, platform.namespace))
    except CommandError as error:
        return f"Prometheus does not answer: {' '.join(str(error).split())}"


def monitoring_text(status: MonitoringStatus | str, platform: PlatformSettings) -> str:
    """The lines of `altlas status` about monitoring."""
    if isinstance(status, str):
        return f"monitoring: unknown: {status}"
    total = status.up + len(status.down)
    down = f"; down: {', '.join(status.down)}" if status.down else ""
    lost = "" if status.alive else "; the Watchdog does not fire, so there may be others"
    return "\n".join(
        [
            f"targets:  {status.up} of {total} up{down}",
            f"alerts:   {len(status.firing)} firing{': ' if status.firing else ''}{', '.join(status.firing)}{lost}",
            f"backups:  {_backups(status, platform)}",
        ]
    )


def _unknown(platform: PlatformSettings, target: cluster.Target) -> str | None:
    if platform.prometheus is None:
        return "the stack has no Prometheus (`prometheus: null`)"
    if not platform.prometheus.is_managed:
        return "the cluster's own Prometheus scrapes the stack (`prometheus.mode: external`); query that one"
    if not target.runs_containers:
        return f"not proven here: no container runs on {target.name}, so Prometheus cannot be queried"
    return None


def _backups(status: MonitoringStatus, platform: PlatformSettings) -> str:
    if platform.backup is None:
        return "none are made (`backup: null`)"
    if not status.backup_seconds:
        return "unknown: Prometheus has no report of a backup"
    ages = (f"{store} {_duration(seconds)}" for store, seconds in sorted(status.backup_seconds.items()))
    stores = {store for store in STORES if getattr(platform, store) is not None}
    without = sorted(stores - status.backup_seconds.keys())
    never = f"; never yet: {', '.join(without)}" if without else ""
    return f"{', '.join(ages)} old{never}; {platform.backup.recovery_point_hours} h are allowed"


def _duration(seconds: float) -> str:
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"


def _target(target: Mapping[str, Any]) -> str:
    labels = target["labels"]
    return f"{labels.get('job')} {labels.get('instance')} ({target.get('lastError') or target['health']})"


def _alert(labels: Mapping[str, str]) -> str:
    about = next((labels[name] for name in ("service", "store", "pod", "job") if name in labels), None)
    return f"{labels['alertname']}{f' {about}' if about else ''} ({labels['severity']})"


def _data(text: str, key: str) -> list[Mapping[str, Any]]:
    try:
        answer = json.loads(text)
        found: list[Mapping[str, Any]] = answer["data"][key]
    except (ValueError, KeyError, TypeError):
        raise CommandError(f"this is not an answer of Prometheus: {text[:80]!r}") from None
    return found


def _quoted(query: str) -> str:
    return quote(query, safe="")
