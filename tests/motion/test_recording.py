"""Judgement of a record: each violation is found, and what a workload is asked to do is none."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.motion.recording import Event, budget_violations, quorum_losses, samples

_LABELS = {"app": "redis"}


def _workload(version: int, replicas: int) -> Event:
    spec = {"replicas": replicas, "selector": {"matchLabels": _LABELS}}
    return _event(version, "MODIFIED", {"kind": "StatefulSet", "metadata": {"name": "redis"}, "spec": spec})


def _pod(version: int, name: str, *, ready: bool = True, kind: str = "MODIFIED", ending: bool = False) -> Event:
    metadata = {"name": name, "uid": name, "labels": _LABELS} | ({"deletionTimestamp": "now"} if ending else {})
    status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    return _event(version, kind, {"kind": "Pod", "metadata": metadata, "status": status})


def _event(version: int, kind: str, manifest: dict[str, Any]) -> Event:
    manifest["metadata"]["resourceVersion"] = str(version)
    return Event(float(version), kind, manifest)


def _judged(events: Iterable[Event]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    rows = samples([_workload(1, 3), _pod(2, "a"), _pod(3, "b"), _pod(4, "c"), *events])
    return budget_violations(rows, 4), quorum_losses(rows, ["redis"], 4)


@pytest.mark.parametrize(
    ("events", "violations", "losses"),
    [
        ([], 0, 0),
        ([_pod(5, "a", ready=False)], 0, 0),
        ([_pod(5, "a", ending=True), _pod(6, "d")], 0, 0),
        ([_pod(5, "a", ending=True), _pod(6, "b", ready=False)], 1, 1),
        ([_pod(5, "a", kind="DELETED"), _pod(6, "b", kind="DELETED"), _pod(7, "c", kind="DELETED")], 2, 2),
        # Fewer are asked for, and one of these may be missing.
        ([_workload(5, 2), _pod(6, "a", kind="DELETED"), _pod(7, "b", kind="DELETED")], 0, 1),
        # More are asked for: what was never ready is not missing.
        ([_workload(5, 9)], 0, 0),
        ([_workload(5, 4), _pod(6, "d"), _pod(7, "a", ready=False), _pod(8, "b", ready=False)], 1, 1),
    ],
)
def test_what_a_record_shows_is_judged(events: list[Event], violations: int, losses: int) -> None:
    """Violations of the budget, and moments without a majority."""
    found, lost = _judged(events)
    assert (len(found), len(lost)) == (violations, losses)


def test_events_of_several_watches_are_put_in_order() -> None:
    """A deletion that was read before its cause, the smaller number of replicas, is no violation."""
    late, early = _pod(7, "b", kind="DELETED"), _pod(6, "a", kind="DELETED")
    assert _judged([late, early, _workload(5, 1)]) == ((), ())
    assert _judged([late, early])[0] == ("redis: 1 ready of 3",)


def test_only_what_happened_since_is_judged() -> None:
    """Lacks of the time before do not count."""
    rows = samples([_workload(1, 3), _pod(2, "a"), _pod(3, "b"), _pod(4, "a", ready=False), _pod(5, "b", ready=False)])
    assert budget_violations(rows, 5) == ("redis: 0 ready of 2",)
    assert budget_violations(rows, 6) == ()
