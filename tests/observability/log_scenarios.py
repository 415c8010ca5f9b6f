"""For every alert about logs: series under which it fires, and series under which it keeps quiet."""

from tests.observability.scenario import Cases, Scenario, constant, pair, series

_POD = 'pod="a-1"'
_REASON = 'reason="stream_limit"'
_ROUTE = 'service="loki"', 'route="loki_api_v1_push"'
_FAILED, _ANSWERED = (
    series("loki_request_duration_seconds_count", *_ROUTE, f'status_code="{code}"') for code in ("500", "204")
)


def _counter(name: str, label: str, bad: str = "0+1x60", good: str = "7x60") -> Cases:
    one = series(name, label)
    return {one: bad}, {one: good}


LOGS = (
    Scenario(alert="LogLinesLost", cases=_counter("loki_write_dropped_entries_total", _POD)),
    Scenario(alert="LogDeliveryRetried", cases=_counter("loki_write_batch_retries_total", _POD, good="0x10 1x50")),
    Scenario(
        alert="LogPipelineUnhealthy",
        cases=constant("alloy_component_controller_running_components", 'health_type="unhealthy"', 1, 0),
    ),
    Scenario(
        alert="LokiRequestsFail",
        cases=pair(_FAILED, _ANSWERED, ("0+6x60", "0+94x60"), ("0+5x60", "0+95x60")),
        where={"service": "loki"},
    ),
    # The first refused line, which is where its counter begins.
    Scenario(alert="LogLinesRefused", cases=_counter("loki_discarded_samples_total", _REASON, bad="_x20 5x40")),
    Scenario(
        alert="LokiVolumeFull",
        severity="page",
        cases=_counter("loki_ingester_wal_disk_full_failures_total", _POD),
    ),
)
