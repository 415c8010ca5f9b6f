"""The names of what monitoring knows about dumps and drills, and the report from which it knows.

This module is where every name is: exporter, alerts and dashboards import it. All are gauges with the label `store`
(postgres, redis, nats). A job writes its report as the message with which its container ends, so it needs neither
network nor token for that; `backup.exporter` reads the messages from the API server and shows them under these names.
"""

import json
from collections.abc import Mapping
from pathlib import Path

STORE_LABEL = "store"

DUMP_SUCCESS = "alt_las_backup_dump_success"
"""1 when the last dump that ended was good, 0 when it failed."""

DUMP_LAST_SUCCESS = "alt_las_backup_dump_last_success_timestamp_seconds"
"""Unix time at which the last good dump ended. Age of the backup: `time()` minus this."""

DUMP_SIZE = "alt_las_backup_dump_size_bytes"
"""Size of the last good dump, encrypted."""

DUMP_DURATION = "alt_las_backup_dump_duration_seconds"
"""Time that the last good dump took, with its upload."""

SCHEDULED_SINCE = "alt_las_backup_scheduled_since_timestamp_seconds"
"""Unix time since when the store is dumped on schedule: where there never was a good dump, its age counts from here."""

OBJECTIVE = "alt_las_backup_recovery_point_objective_seconds"
"""Age of the newest good dump that the settings allow (recoveryPointHours)."""

DRILL_SUCCESS = "alt_las_backup_drill_success"
"""1 when the last drill that ended restored everything and found it equal, 0 when it failed."""

DRILL_LAST_SUCCESS = "alt_las_backup_drill_last_success_timestamp_seconds"
"""Unix time at which the last good drill ended."""

DRILL_RECOVERY_POINT = "alt_las_backup_drill_recovery_point_seconds"
"""Measured age of the restored data when the last good drill began."""

DRILL_RECOVERY_TIME = "alt_las_backup_drill_recovery_time_seconds"
"""Measured time of the last good drill until the copy was complete and compared."""

NAMES: Mapping[str, str] = {
    DUMP_SUCCESS: "Whether the last dump that ended was good",
    DUMP_LAST_SUCCESS: "Unix time at which the last good dump ended",
    DUMP_SIZE: "Size of the last good dump, encrypted",
    DUMP_DURATION: "Time that the last good dump took",
    SCHEDULED_SINCE: "Unix time since when the store is dumped on schedule",
    OBJECTIVE: "Age of the newest good dump that the settings allow",
    DRILL_SUCCESS: "Whether the last drill that ended was good",
    DRILL_LAST_SUCCESS: "Unix time at which the last good drill ended",
    DRILL_RECOVERY_POINT: "Measured age of the restored data when the last good drill began",
    DRILL_RECOVERY_TIME: "Measured time of the last good drill until the copy was compared",
}
"""Every metric, with the help text that the exporter shows."""

PATH = "/metrics"
"""Path at which the exporter answers."""

MOST_BYTES = 4096
"""Longest message of a container that Kubernetes keeps."""


def write_report(path: Path | None, store: str, action: str, figures: Mapping[str, float]) -> None:
    """Leave a job's result where the kubelet picks it up.

    Args:
        path: File of the container's message; None where nobody reads it.
        store: Name of the store.
        action: What was done: dump or drill.
        figures: Value by name of the metric.
    """
    if path is not None:
        path.write_text(json.dumps({"store": store, "action": action, "figures": dict(figures)}), encoding="utf-8")


def exposition(series: Mapping[tuple[str, str], float]) -> str:
    """Metrics in Prometheus' text format.

    Args:
        series: Value by name of the metric and store.
    """
    lines = []
    for name, text in NAMES.items():
        values = {store: value for (found, store), value in sorted(series.items()) if found == name}
        if values:
            lines += [f"# HELP {name} {text}.", f"# TYPE {name} gauge"]
            lines += [f'{name}{{{STORE_LABEL}="{store}"}} {value:.15g}' for store, value in values.items()]
    return "".join(f"{line}\n" for line in lines)
