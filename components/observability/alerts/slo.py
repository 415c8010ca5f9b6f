"""Objectives as rules: the share of errors over several windows, what is left of the budget, when it burns too fast.

The windows and burn rates are those of The Site Reliability Workbook (Google, 2018, chapter 5): a page when 2 % of a
month's budget is gone in an hour or 5 % in six, a ticket when 10 % is gone in three days. A long window says that it is
serious, a short one that it still goes on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from components.observability.alerts.alert import Alert, Severity
from components.settings import PlatformSettings, ServiceSettings
from components.settings.slo import FASTEST_BURN_RATE, ServiceMetricsSettings

ERRORS = "service:slo_errors:ratio_rate"
"""Recorded share of errors; the window follows, such as `service:slo_errors:ratio_rate5m`."""

TARGET = "service:slo_target:ratio"
BUDGET_REMAINING = "service:slo_budget_remaining:ratio"
PROBE_IN_TIME = "service:probe_in_time:bool"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")

Kind = Literal["availability", "latency", "success"]
Burn = tuple[float, str, str]
"""Burn rate, long window and short window."""

_BURNS: dict[Severity, tuple[Burn, Burn]] = {
    "page": ((FASTEST_BURN_RATE, "1h", "5m"), (6, "6h", "30m")),
    "ticket": ((3, "1d", "2h"), (1, "3d", "6h")),
}
_BUDGET_DAYS = 30
_MEANING: dict[Kind, str] = {
    "availability": "probes of its health path fail",
    "latency": "answers come too late",
    "success": "requests end with a server error",
}


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One promise of one service.

    Attributes:
        service: Name of the service.
        kind: What is promised.
        target: Share that must be good, below 1.
        errors: PromQL of the share that is not, by window.
    """

    service: str
    kind: Kind
    target: float
    errors: Callable[[str], str]

    @property
    def budget(self) -> float:
        """Share that may fail."""
        return round(1 - self.target, 6)


def objectives(platform: PlatformSettings) -> Iterator[Objective]:
    """Every objective of a stack; none without Prometheus."""
    if platform.prometheus is not None:
        for name, service in platform.services.by_name().items():
            yield from _of_service(name, service, platform.namespace)


def _of_service(name: str, service: ServiceSettings, namespace: str) -> Iterator[Objective]:
    where = f'namespace="{namespace}",service="{name}"'
    slo, metrics = service.slo, service.metrics

    def probes_failed(window: str) -> str:
        return f"1 - avg by (namespace, service) (avg_over_time(probe_success{{{where}}}[{window}]))"

    yield Objective(service=name, kind="availability", target=slo.availability_percent / 100, errors=probes_failed)
    if slo.latency_milliseconds is not None:
        errors = _requests_late(where, metrics, slo.latency_milliseconds) if metrics else _probes_late(where)
        yield Objective(service=name, kind="latency", target=slo.latency_percent / 100, errors=errors)
    if slo.success_percent is not None and metrics is not None:
        yield Objective(
            service=name, kind="success", target=slo.success_percent / 100, errors=_requests_failed(where, metrics)
        )


def _requests_late(where: str, metrics: ServiceMetricsSettings, milliseconds: int) -> Callable[[str], str]:
    def errors(window: str) -> str:
        buckets = f"rate({metrics.duration_histogram}_bucket{{{where}}}[{window}])"
        return f"1 - histogram_fraction(-Inf, {milliseconds}, sum by (namespace, service, le) ({buckets}))"

    return errors


def _probes_late(where: str) -> Callable[[str], str]:
    def errors(window: str) -> str:
        return f"1 - avg by (namespace, service) (avg_over_time({PROBE_IN_TIME}{{{where}}}[{window}]))"

    return errors


def _requests_failed(where: str, metrics: ServiceMetricsSettings) -> Callable[[str], str]:
    def errors(window: str) -> str:
        def rate(further: str) -> str:
            series = f"{metrics.duration_histogram}_count{{{where}{further}}}"
            return f"sum by (namespace, service) (rate({series}[{window}]))"

        # Before the first error there is no series of errors, and that is a share of nothing, not of unknown.
        failed = rate(',code=~"5.."')
        return f"({failed} or 0 * {rate('')}) / {rate('')}"

    return errors


def recording_rules(platform: PlatformSettings) -> list[dict[str, Any]]:
    """Rules computed once for alerts and dashboards."""
    rules = [_probe_in_time(name, service, platform.namespace) for name, service in _probed_for_latency(platform)]
    days = min(_BUDGET_DAYS, platform.prometheus.retention_days) if platform.prometheus else _BUDGET_DAYS
    for objective in objectives(platform):
        labels = {"service": objective.service, "slo": objective.kind, "namespace": platform.namespace}
        named = ",".join(f'{label}="{value}"' for label, value in labels.items())
        rules.append({"record": TARGET, "expr": f"vector({objective.target:g})", "labels": labels})
        rules += [
            {"record": f"{ERRORS}{window}", "expr": objective.errors(window), "labels": labels} for window in WINDOWS
        ]
        spent = f"avg_over_time({ERRORS}5m{{{named}}}[{days}d]) / {objective.budget:g}"
        rules.append({"record": BUDGET_REMAINING, "expr": f"1 - {spent}", "labels": labels})
    return rules


def _probed_for_latency(platform: PlatformSettings) -> Iterator[tuple[str, ServiceSettings]]:
    if platform.prometheus is not None:
        for name, service in platform.services.by_name().items():
            if service.slo.latency_milliseconds is not None and service.metrics is None:
                yield name, service


def _probe_in_time(name: str, service: ServiceSettings, namespace: str) -> dict[str, Any]:
    seconds = (service.slo.latency_milliseconds or 0) / 1000
    series = f'probe_duration_seconds{{namespace="{namespace}",service="{name}"}}'
    return {"record": PROBE_IN_TIME, "expr": f"{series} <= bool {seconds:g}", "labels": {"service": name}}


def burn_alerts(platform: PlatformSettings) -> Iterator[Alert]:
    """A page and a ticket for each objective."""
    for objective in objectives(platform):
        for severity, burns in _BURNS.items():
            yield _burn_alert(objective, severity, burns, platform.namespace)


def burn_alert_name(kind: Kind, severity: Severity) -> str:
    """Name of the alert about an objective."""
    return f"{kind.capitalize()}BudgetBurns{'Fast' if severity == 'page' else 'Slowly'}"


def _burn_alert(objective: Objective, severity: Severity, burns: tuple[Burn, Burn], namespace: str) -> Alert:
    where = f'namespace="{namespace}",service="{objective.service}",slo="{objective.kind}"'

    def both(burn: Burn) -> str:
        rate, long, short = burn
        limit = f"{rate * objective.budget:g}"
        return f"({ERRORS}{long}{{{where}}} > {limit} and {ERRORS}{short}{{{where}}} > {limit})"

    return Alert(
        name=burn_alert_name(objective.kind, severity),
        expression=" or ".join(both(burn) for burn in burns),
        minutes=2 if severity == "page" else 30,
        severity=severity,
        summary=f"{objective.service}: {_MEANING[objective.kind]} {'far ' if severity == 'page' else ''}too often",
        description=(
            f"{objective.service} promises {objective.target:.4g} of its {objective.kind}; "
            "{{ $value | humanizePercentage }} fail."
        ),
        labels={"service": objective.service, "slo": objective.kind},
    )
