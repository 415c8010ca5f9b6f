"""DORA's five metrics from a ledger: the figures of a known history, and none where there is too little of it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from altlas.release.deployments import deployments
from altlas.release.dora import as_prometheus, as_text, metrics
from altlas.release.ledger import Ledger, ledger_of
from altlas.session.workspace import Workspace
from tests.altlas.conftest import Altlas
from tests.support.known_metrics import exported_metrics

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HISTORY: tuple[tuple[int, str, str, int | None], ...] = (
    # Day, reason, result, hours from the commit to the begin.
    (0, "planned", "succeeded", 2),
    (1, "planned", "failed", 2),
    (2, "planned", "succeeded", 4),
    (3, "planned", "nothing", 1),
    (4, "planned", "succeeded", 6),
    (4, "rework", "succeeded", 1),
    (5, "planned", "succeeded", 8),
    (6, "rollback", "succeeded", None),
    (7, "planned", "succeeded", 10),
    (8, "planned", "interrupted", 10),
    (9, "planned", "succeeded", None),
)


def write(ledger: Ledger, history: tuple[tuple[int, str, str, int | None], ...]) -> None:
    """Write deployments that take an hour each; a rollback takes back the deployment before it."""
    begins: list[int] = []
    for position, (day, reason, result, hours) in enumerate(history):
        began = START + timedelta(days=day, hours=3 * (position % 2))
        body: dict[str, Any] = {"result": "started", "reason": reason}
        if hours is not None:
            body |= {"commit": "c", "committedAt": (began - timedelta(hours=hours)).isoformat(), "clean": True}
        if reason == "rollback":
            body["of"] = begins[-1]
        kind = "rollback" if reason == "rollback" else "apply"
        begins.append(ledger.append(kind, "ada", body, began).number)  # type: ignore[arg-type]  # one of the kinds
        if result != "interrupted":
            end = {"result": result, "began": begins[-1], "changes": {"update": 1}}
            ledger.append(kind, "ada", end, began + timedelta(hours=1))  # type: ignore[arg-type]  # one of the kinds


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """The ledger of HISTORY, among entries that are no deployments."""
    found = Ledger(tmp_path / "alpha.jsonl")
    found.append("plan", "ada", {}, START)
    write(found, HISTORY)
    found.append("restore", "ada", {"store": "redis"}, START)
    return found


def test_a_known_history_has_known_figures(ledger: Ledger) -> None:
    """Ten deployments, because one changed nothing; four of them failed, one was a rework."""
    found = deployments(ledger.entries())
    assert len(found) == 10
    lead, frequency, recovery, failures, rework = metrics(found, START + timedelta(days=14), 14)
    # Commit to end: 3, 5, 7, 2, 9 and 11 hours.
    assert (lead.value, lead.cases) == (6 * 3600, 6)
    assert (frequency.value, frequency.cases) == (5.0, 10)
    # The failed one, that before the rework, that before the rollback, and the interrupted one.
    assert (failures.value, failures.cases) == (0.4, 10)
    assert (rework.value, rework.cases) == (0.1, 10)
    assert (recovery.value, recovery.cases) == (None, 4)
    assert list(as_text((lead, frequency, recovery, failures, rework))) == [
        ("change lead time", "6:00:00", "6"),
        ("deployment frequency", "5.0 per week", "10"),
        ("failed deployment recovery time", "not enough data", "4"),
        ("change fail rate", "40%", "10"),
        ("deployment rework rate", "10%", "10"),
    ]


def test_five_recoveries_make_a_figure(tmp_path: Path) -> None:
    """Five failures, each with a good deployment a day later and three hours earlier or later."""
    ledger = Ledger(tmp_path / "alpha.jsonl")
    write(ledger, tuple((day, "planned", ("failed", "succeeded")[day % 2], 1) for day in range(10)))
    recovery = metrics(deployments(ledger.entries()), START + timedelta(days=14), 14)[2]
    assert (recovery.value, recovery.cases) == (27 * 3600, 5)


def test_four_deployments_are_not_enough_and_a_window_leaves_out_older_ones(ledger: Ledger) -> None:
    """No figure of any kind below five cases; Prometheus gets no sample then."""
    found = metrics(deployments(ledger.entries()), START + timedelta(days=9, hours=12), 5)
    assert [each.cases for each in found] == [2, 5, 2, 5, 5]
    few = metrics(deployments(ledger.entries())[:4], START + timedelta(days=14), 14)
    assert [each.value for each in few] == [None] * 5
    assert "alpha" not in as_prometheus(few, "alpha")


def test_the_command_prints_text_json_and_prometheus(altlas: Altlas, checkout: Path) -> None:
    """Each with five metrics; another format is refused."""
    ledger = ledger_of(Workspace(checkout), "alpha", {})
    write(ledger, HISTORY)
    window = ("--days", "36500")
    text = altlas("ledger", "metrics", "alpha", *window).out
    assert [line.split("  ")[0] for line in text.splitlines()[1:]] == [
        "change lead time",
        "deployment frequency",
        "failed deployment recovery time",
        "change fail rate",
        "deployment rework rate",
    ]
    document = json.loads(altlas("ledger", "metrics", "alpha", "--format", "json", *window).out)
    assert (document["stack"], [each["cases"] for each in document["metrics"]]) == ("alpha", [6, 10, 4, 10, 10])
    prometheus = altlas("ledger", "metrics", "alpha", "--format", "prometheus", *window).out
    assert 'alt_las_delivery_change_fail_rate_ratio{stack="alpha"} 0.4\n' in prometheus
    assert prometheus.count("# TYPE") == 5
    assert altlas("ledger", "metrics", "alpha", "--format", "yaml").code == 2


def test_dashboards_ask_for_the_metrics_that_the_command_prints() -> None:
    """The names of the one are those of the other."""
    printed = {each.series for each in metrics((), START, 14)}
    assert printed == {each.name for each in exported_metrics() if each.exporter == "altlas ledger metrics"}


def test_before_the_first_deployment_no_figure_is_given(altlas: Altlas) -> None:
    """An empty ledger has five metrics of no case."""
    done = altlas("ledger", "metrics", "alpha")
    assert (done.code, done.out.count("not enough data")) == (0, 5), done.error
