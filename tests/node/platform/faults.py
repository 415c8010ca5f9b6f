"""Faults of the running platform, and what its users notice of one."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.node.connections import RunningPod
from tests.node.platform.changes import load
from tests.node.platform.project import NodeProject
from tests.node.platform.users import Users
from tests.node.real_cluster import wait_until

MOST_SECONDS = 60.0
"""Time that any user may be without an answer, whatever is killed or cut off."""

LOSES_NOTHING = f"nothing acknowledged is lost, no user is without an answer for {MOST_SECONDS:.0f} s"
_MOST_RECOVERY_SECONDS = 180


@dataclass(frozen=True)
class Noticed:
    """Effects of a fault.

    Attributes:
        seconds: Until it was over, as it says itself.
        away: Longest time without an answer of each user that had one.
        lost: Acknowledged writes that are not there any more, by store.
    """

    seconds: float
    away: dict[str, float]
    lost: dict[str, int]

    def __str__(self) -> str:
        """For a figure."""
        return f"{self.seconds:.1f} s, users without an answer: {self.away or 'none'}, lost {self.lost}{load()}"


def noticed(busy: Users, fault: Callable[[], float]) -> Noticed:
    """Let something happen to the platform, and see what users noticed."""
    busy.go_on()
    before = busy.lost()
    busy.forget_pauses()
    seconds = fault()
    busy.go_on(seconds=300)
    away = busy.pauses()
    return Noticed(seconds, away, {store: count - before[store] for store, count in busy.lost().items()})


def everywhere(project: NodeProject) -> list[dict[str, Any]]:
    """Pods of all namespaces that run."""
    done = project.kubectl("get", "pods", "--all-namespaces", "--field-selector=status.phase=Running", "--output=json")
    assert done.code == 0, done.text
    items: list[dict[str, Any]] = json.loads(done.out)["items"]
    return items


def ended(project: NodeProject, item: dict[str, Any]) -> float:
    """Kill all processes of a pod; return after how many seconds its containers are ready again."""
    metadata = item["metadata"]
    before = sum(status["restartCount"] for status in item["status"]["containerStatuses"])
    for process in list(RunningPod.of(item, metadata["name"]).processes()):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

    def is_back() -> bool:
        pods = {pod["metadata"]["name"]: pod for pod in project.objects("pods", metadata["namespace"])}
        statuses = pods[metadata["name"]]["status"]["containerStatuses"]
        return sum(status["restartCount"] for status in statuses) > before and all(each["ready"] for each in statuses)

    return wait_until(is_back, _MOST_RECOVERY_SECONDS)
