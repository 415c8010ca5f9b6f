"""Alerts about logs: lines that Alloy cannot read or deliver, and lines that Loki does not take or cannot keep."""

from collections.abc import Iterator

from components.observability.alerts.alert import Alert
from components.settings import PlatformSettings

_FAILING = 0.05
"""Share of a route's requests that end with a status of 5xx that is an alert."""


def log_alerts(platform: PlatformSettings) -> Iterator[Alert]:
    """All of them, as far as the stack has what they are about. That either is gone, targets tell."""
    where = f'namespace="{platform.namespace}"'
    if platform.alloy:
        yield from _alloy(where)
    if platform.loki:
        yield from _loki(where)


def _grown(counter: str) -> str:
    """Query for a counter that has grown within a quarter of an hour, or has begun: the first event may make it."""
    return f"increase({counter}[15m]) > 0 or ({counter} unless {counter} offset 15m) > 0"


def _alloy(where: str) -> Iterator[Alert]:
    lost = (
        "loki_write_dropped_entries_total",
        "otelcol_exporter_send_failed_log_records_total",
        "otelcol_exporter_enqueue_failed_log_records_total",
    )
    yield Alert(
        name="LogLinesLost",
        expression=" or ".join(_grown(f"{name}{{{where}}}") for name in lost),
        minutes=0,
        severity="ticket",
        summary="{{ $labels.pod }} has given up log lines that Loki did not take",
        description="They are in no query; kubectl logs has them as long as their pods and nodes keep them.",
    )
    yield Alert(
        name="LogDeliveryRetried",
        expression=f"rate(loki_write_batch_retries_total{{{where}}}[5m]) > 0",
        minutes=5,
        severity="ticket",
        summary="{{ $labels.pod }} has to send log lines again and again",
        description="They come late, and are lost when Loki does not take them within ten tries.",
    )
    unhealthy = f'alloy_component_controller_running_components{{{where},health_type="unhealthy"}}'
    yield Alert(
        name="LogPipelineUnhealthy",
        expression=f"{unhealthy} > 0",
        minutes=10,
        severity="ticket",
        summary="{{ $labels.pod }}: {{ $value }} components of the pipeline do not work",
        description="Logs of some pods, or what services send by OTLP, may not arrive at all.",
    )


def _loki(where: str) -> Iterator[Alert]:
    failing, every = (
        f"sum by (namespace, service, route) (rate(loki_request_duration_seconds_count{{{where}{kind}}}[5m]))"
        for kind in (',status_code=~"5.."', "")
    )
    yield Alert(
        name="LokiRequestsFail",
        expression=f"{failing} / {every} > {_FAILING:g}",
        minutes=10,
        severity="ticket",
        summary="Loki fails {{ $value | humanizePercentage }} of {{ $labels.route }}",
        description="Log lines do not come in, or nobody can read them.",
    )
    yield Alert(
        name="LogLinesRefused",
        expression=_grown(f"loki_discarded_samples_total{{{where}}}"),
        minutes=0,
        severity="ticket",
        summary="Loki has refused log lines: {{ $labels.reason }}",
        description="A limit of loki.limits, or the age of the lines; Alloy sends again only what arrives too fast.",
    )
    yield Alert(
        name="LokiVolumeFull",
        expression=f"increase(loki_ingester_wal_disk_full_failures_total{{{where}}}[15m]) > 0",
        minutes=0,
        severity="page",
        summary="{{ $labels.pod }} has no room for its write-ahead log",
        description="What it has taken since is in its memory only, and is lost when the pod goes.",
    )
