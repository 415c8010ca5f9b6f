"""Metrics that the exporter makes of the objects that Kubernetes keeps about dumps and drills."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from backup import metrics
from backup.errors import BackupError
from backup.exporter import Found, collect, server
from tests.support.http_server import running_server

OBJECTIVE = 90000.0


def at(hour: int) -> str:
    """A time of a day, as Kubernetes writes it."""
    return f"2026-06-01T{hour:02}:00:00Z"


def seconds(hour: int) -> float:
    """The same as Unix time."""
    return datetime(2026, 6, 1, hour, tzinfo=UTC).timestamp()


def labelled(store: str, action: str, **further: Any) -> dict[str, Any]:
    """An object of a store's dumps or drills."""
    labels = {"alt-las.io/store": store, "alt-las.io/backup-action": action}
    return {"metadata": {"labels": labels, "creationTimestamp": at(0)}, **further}


def job(store: str, action: str, hour: int, *, good: bool) -> dict[str, Any]:
    """A Job that has ended."""
    conditions = [
        {"type": "SuccessCriteriaMet", "status": "True", "lastTransitionTime": at(hour)},
        {"type": "Complete" if good else "Failed", "status": "True", "lastTransitionTime": at(hour)},
    ]
    return labelled(store, action, status={"conditions": conditions})


def pod(store: str, action: str, hour: int, message: str, code: int = 0) -> dict[str, Any]:
    """A pod whose container has ended with a message."""
    ended = {"exitCode": code, "finishedAt": at(hour), "message": message}
    return labelled(store, action, status={"containerStatuses": [{"state": {"terminated": ended}}]})


def report(store: str, **figures: float) -> str:
    """A report as a job writes it."""
    return json.dumps({"store": store, "action": "dump", "figures": figures})


def found(**objects: list[dict[str, Any]]) -> Found:
    """Objects that the API server lists."""
    return {"cronjobs": [], "jobs": [], "pods": [], **objects}


def test_before_the_first_dump_only_the_promise_is_known() -> None:
    """So that the age of a dump that never was can be told."""
    assert collect(found(cronjobs=[labelled("redis", "dump"), labelled("redis", "drill")]), OBJECTIVE) == {
        (metrics.SCHEDULED_SINCE, "redis"): seconds(0),
        (metrics.OBJECTIVE, "redis"): OBJECTIVE,
    }


def test_a_failed_dump_after_a_good_one_is_seen_and_the_good_one_counts() -> None:
    """The last that ended decides about success, the last good one about age and size."""
    series = collect(
        found(
            jobs=[job("nats", "dump", 3, good=False), job("nats", "dump", 2, good=True)],
            pods=[
                pod("nats", "dump", 2, report("nats", **{metrics.DUMP_SIZE: 700, metrics.DUMP_DURATION: 3.5})),
                pod("nats", "dump", 3, report("nats", **{metrics.DUMP_SIZE: 1}), code=1),
            ],
        ),
        OBJECTIVE,
    )
    assert series == {
        (metrics.DUMP_SUCCESS, "nats"): 0.0,
        (metrics.DUMP_LAST_SUCCESS, "nats"): seconds(2),
        (metrics.DUMP_SIZE, "nats"): 700.0,
        (metrics.DUMP_DURATION, "nats"): 3.5,
    }


def test_the_schedule_remembers_a_success_whose_job_is_gone() -> None:
    """Jobs are deleted after a week; the CronJob keeps the time of the last success."""
    schedule = labelled("postgres", "drill", status={"lastSuccessfulTime": at(5)})
    series = collect(found(cronjobs=[schedule], jobs=[job("postgres", "drill", 4, good=True)]), OBJECTIVE)
    assert series[metrics.DRILL_LAST_SUCCESS, "postgres"] == seconds(5)
    assert series[metrics.DRILL_SUCCESS, "postgres"] == 1.0


@pytest.mark.parametrize(
    "message",
    [
        "",
        "error: no such host",
        "[]",
        '{"store": "redis"}',
        report("nats", **{metrics.DRILL_RECOVERY_TIME: 1}),
        report("redis", **{metrics.DRILL_SUCCESS: 1, "alt_las_something_else": 1}),
    ],
)
def test_a_message_that_is_no_report_or_says_too_much_is_left_out(message: str) -> None:
    """Neither another store's figures nor whether a job was good: that only Kubernetes says."""
    assert collect(found(pods=[pod("redis", "drill", 1, message)]), OBJECTIVE) == {}


def test_a_running_pod_and_job_say_nothing_yet() -> None:
    """Their time comes."""
    running = labelled("redis", "dump", status={"containerStatuses": [{"state": {"running": {}}}]})
    assert (
        collect(found(jobs=[labelled("redis", "dump", status={})], pods=[running, labelled("redis", "dump")]), 1) == {}
    )


@contextmanager
def serving(read: Any) -> Iterator[str]:
    """The exporter on a free port of this machine."""
    with running_server(server(0, read, OBJECTIVE, "127.0.0.1")) as port:
        yield f"http://127.0.0.1:{port}"


def answer(url: str) -> tuple[int, str]:
    """Status and text of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  # loopback
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_scrape_gets_the_metrics() -> None:
    """In the text format, and nothing from elsewhere."""
    with serving(lambda: found(jobs=[job("redis", "dump", 2, good=True)])) as address:
        status, text = answer(f"{address}/metrics")
        assert status == 200
        assert 'alt_las_backup_dump_success{store="redis"} 1\n' in text
        assert answer(f"{address}/healthz") == (200, "ok\n")
        assert answer(f"{address}/secrets")[0] == 404


def test_a_scrape_fails_where_the_api_server_does_not_answer() -> None:
    """No half of the truth: Prometheus then says that the exporter is down."""

    def refuse() -> Found:
        raise BackupError("the API server does not list pods: forbidden")

    with serving(refuse) as address:
        assert answer(f"{address}/metrics") == (503, "the API server does not list pods: forbidden\n")
        assert answer(f"{address}/healthz")[0] == 200
