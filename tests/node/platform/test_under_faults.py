"""The platform with three servers of each store, in use, under faults of nodes and operators.

Each figure says what came back by itself, after how many seconds, and what users noticed meanwhile.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from cluster.node.commands import run
from tests.node.connections import RunningPod
from tests.node.platform.changes import POSTGRES, killed, late, load, names, node_of, settled
from tests.node.platform.project import HOME, NodeProject
from tests.node.platform.users import NOTHING_LOST, Users
from tests.node.processes import daemon
from tests.node.real_cluster import wait_until
from tests.support.figures import Figures

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("three_servers")]

CUT_SECONDS = 30
"""More than the 16 after which a node counts as lost."""

MOST_SECONDS = 60.0
MOST_RECOVERY_SECONDS = 180
MOST_SECONDS_WITHOUT_OPERATOR = 5.0
OPERATOR = "cnpg-controller-manager"
KUBELET = "kubelet"


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


def away_from_home(project: NodeProject, busy: Users) -> str:
    """Node of PostgreSQL's primary, which has left the node of the users."""
    pod = names(project, POSTGRES)[0]
    if node_of(project, pod) == HOME:
        killed(project, busy, "PostgreSQL", pod)
        settled(project)
    return node_of(project, names(project, POSTGRES)[0])


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

    return wait_until(is_back, MOST_RECOVERY_SECONDS)


def restarts(project: NodeProject) -> dict[str, int]:
    """Number of restarts of each container that runs."""
    return {
        f"{pod['metadata']['name']}/{status['name']}": status["restartCount"]
        for pod in project.pods()
        for status in pod["status"]["containerStatuses"]
    }


def test_a_killed_kubelet_of_the_primary_s_node_takes_nothing_away(
    project: NodeProject, busy: Users, figures: Figures
) -> None:
    """The node starts it again; no container restarts."""
    settled(project)
    folder, before = project.root / ".altlas/node", restarts(project)
    node = node_of(project, names(project, POSTGRES)[0])

    def fault() -> float:
        old = daemon(folder, node, KUBELET)
        assert old is not None
        os.kill(old, signal.SIGKILL)
        seconds = wait_until(lambda: daemon(folder, node, KUBELET) not in {None, old})
        machine, record = project.cluster().node(node)
        wait_until(lambda: machine.judges(record))
        return seconds

    found = noticed(busy, fault)
    settled(project)
    figures.add("fault of a node: kubelet killed", f"runs again after {found}")
    assert {name: count for name, count in restarts(project).items() if count != before.get(name, count)} == {}
    assert found.lost == NOTHING_LOST
    assert late(found.away, dict.fromkeys(found.away, MOST_SECONDS)) == {}


def test_the_killed_operator_of_postgresql_is_not_missed(project: NodeProject, busy: Users, figures: Figures) -> None:
    """The servers go on without it, and it is ready again by itself."""
    settled(project)
    (item,) = (pod for pod in everywhere(project) if pod["metadata"]["name"].startswith(f"{OPERATOR}-"))
    found = noticed(busy, partial(ended, project, item))
    figures.add(f"fault of an operator: {OPERATOR} killed", f"ready again after {found}")
    assert found.lost == NOTHING_LOST
    assert late(found.away, dict.fromkeys(found.away, MOST_SECONDS_WITHOUT_OPERATOR)) == {}


def test_a_node_without_network_loses_nothing(project: NodeProject, busy: Users, figures: Figures) -> None:
    """That of PostgreSQL's primary, which goes on without being reachable, and must not stay a second primary."""
    node = away_from_home(project, busy)
    interface = project.network().interface_of(node)

    def fault() -> float:
        run(["ip", "link", "set", interface, "down"])
        try:
            time.sleep(CUT_SECONDS)
        finally:
            run(["ip", "link", "set", interface, "up"])
        start = time.monotonic()
        settled(project)
        return time.monotonic() - start

    found = noticed(busy, fault)
    figures.add(f"fault of a node: no network for {CUT_SECONDS} s", f"all pods are ready after a further {found}")
    assert found.lost == NOTHING_LOST
    assert late(found.away, dict.fromkeys(found.away, MOST_SECONDS)) == {}
