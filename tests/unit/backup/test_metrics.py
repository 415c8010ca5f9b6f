"""Metrics that jobs leave, and how monitoring gets them."""

import json
from pathlib import Path

from backup import metrics


def test_a_report_names_store_action_and_figures(tmp_path: Path) -> None:
    """As the message of a container, which Kubernetes cuts off at 4096 bytes."""
    file = tmp_path / "message"
    figures = dict.fromkeys(metrics.NAMES, 1780000000.123)
    metrics.write_report(file, "postgres", "dump", figures)
    assert json.loads(file.read_text()) == {"store": "postgres", "action": "dump", "figures": figures}
    assert file.stat().st_size < metrics.MOST_BYTES


def test_without_a_file_nobody_reads_the_report() -> None:
    """On a machine of a person."""
    metrics.write_report(None, "postgres", "dump", {metrics.DUMP_SUCCESS: 1})


def test_metrics_are_shown_in_the_format_of_prometheus() -> None:
    """Help and type once, a line for each store, times in whole digits; what is unknown is left out."""
    series = {
        (metrics.DUMP_LAST_SUCCESS, "redis"): 1780000000.25,
        (metrics.DUMP_SUCCESS, "redis"): 0.0,
        (metrics.DUMP_SUCCESS, "nats"): 1.0,
    }
    assert metrics.exposition(series) == (
        "# HELP alt_las_backup_dump_success Whether the last dump that ended was good.\n"
        "# TYPE alt_las_backup_dump_success gauge\n"
        'alt_las_backup_dump_success{store="nats"} 1\n'
        'alt_las_backup_dump_success{store="redis"} 0\n'
        "# HELP alt_las_backup_dump_last_success_timestamp_seconds Unix time at which the last good dump ended.\n"
        "# TYPE alt_las_backup_dump_last_success_timestamp_seconds gauge\n"
        'alt_las_backup_dump_last_success_timestamp_seconds{store="redis"} 1780000000.25\n'
    )
