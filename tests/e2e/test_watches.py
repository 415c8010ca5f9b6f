"""Judgement over what a watch has recorded during an update: less than before and after is found, all else is not."""

from typing import Any

import pytest

from tests.support.running import Counts, Loss, losses, samples_of


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([{"pods a": 2}, {"pods a": 3}, {"pods a": 2}], []),
        ([{"pods a": 2}, {"pods a": 1}, {"pods a": 2}], [Loss("pods a", 1, 2)]),
        ([{"pods a": 2}, {}, {"pods a": 2}], [Loss("pods a", 0, 2)]),
        ([{"pods a": 3}, {"pods a": 1}, {"pods a": 1}], []),
        ([{"pods a": 1}, {"pods a": 0}, {"pods a": 3}], [Loss("pods a", 0, 1)]),
        ([{"pods a": 1}, {}, {"pods b": 1}], []),
        ([{"pods a": 1, "pods b": 1}, {"pods b": 1}, {"pods a": 1, "pods b": 1}], [Loss("pods a", 0, 1)]),
    ],
    ids=["surge", "one fewer", "recreated", "scaled down", "scaled up by a restart", "replaced by another", "of two"],
)
def test_what_ran_less_than_at_both_ends_is_found(samples: list[Counts], expected: list[Loss]) -> None:
    """With the fewest that ran, and how many were needed."""
    assert list(losses(samples)) == expected


def pod(uid: str, ready: str, owner: str = "ReplicaSet") -> dict[str, Any]:
    """A pod of the workload `a`."""
    metadata = {"uid": uid, "labels": {"app.kubernetes.io/name": "a"}, "ownerReferences": [{"kind": owner}]}
    return {"kind": "Pod", "metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


def endpoints(*ready: bool) -> dict[str, Any]:
    """The addresses of the Service `a`."""
    metadata = {"uid": "slice", "labels": {"kubernetes.io/service-name": "a"}}
    found = [{"conditions": {"ready": each}} for each in ready]
    return {"kind": "EndpointSlice", "metadata": metadata, "endpoints": found}


def test_events_become_counts() -> None:
    """Pods of Jobs do not count, nor does what is not ready; what was deleted is gone."""
    events = [
        ("ADDED", pod("1", "True")),
        ("ADDED", pod("2", "False")),
        ("ADDED", pod("3", "True", "Job")),
        ("MODIFIED", pod("2", "True")),
        ("DELETED", pod("1", "True")),
        ("ADDED", endpoints(True, False)),
        ("MODIFIED", endpoints(True, True)),
        ("DELETED", endpoints()),
    ]
    found = samples_of({"type": kind, "object": each} for kind, each in events)
    after = [1, 1, 1, 2, 1]
    assert list(found) == [
        *({"pods a": count} for count in after),
        {"pods a": 1, "addresses a": 1},
        {"pods a": 1, "addresses a": 2},
        {"pods a": 1},
    ]
