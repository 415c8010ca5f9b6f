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
from tests.faults.cases import Cases
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
TRIES = 3
"""Times that each fault is tried with all faults; once without."""

LOSES_NOTHING = f"nothing acknowledged is lost, no user is without an answer for {MOST_SECONDS:.0f} s"


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


def kill_kubelet(project: NodeProject, busy: Users, figures: Figures) -> None:
    """Kill the kubelet of the primary's node."""
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


def kill_operator(project: NodeProject, busy: Users, figures: Figures) -> None:
    """Kill the operator of PostgreSQL."""
    settled(project)
    (item,) = (pod for pod in everywhere(project) if pod["metadata"]["name"].startswith(f"{OPERATOR}-"))
    found = noticed(busy, partial(ended, project, item))
    figures.add(f"fault of an operator: {OPERATOR} killed", f"ready again after {found}")
    assert found.lost == NOTHING_LOST
    assert late(found.away, dict.fromkeys(found.away, MOST_SECONDS_WITHOUT_OPERATOR)) == {}


def cut_network(project: NodeProject, busy: Users, figures: Figures) -> None:
    """Cut the network of the primary's node."""
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


@pytest.fixture
def repeated(
    project: NodeProject, busy: Users, figures: Figures, cases_of: Callable[..., Cases], *, all_faults: bool
) -> Callable[..., None]:
    """Tries a fault, and again with all faults, each time as a case of its own."""

    def repeat(name: str, promise: str, fault: Callable[[NodeProject, Users, Figures], None]) -> None:
        cases = cases_of(f"on real nodes: {name}", promise, "node")
        for key in cases.left(str(number) for number in range(TRIES if all_faults else 1)):
            with cases.trying(key):
                fault(project, busy, figures)

    return repeat


def test_a_killed_kubelet_of_the_primary_s_node_takes_nothing_away(repeated: Callable[..., None]) -> None:
    """The node starts it again; no container restarts."""
    repeated("kubelet of the primary's node killed", f"no container restarts, {LOSES_NOTHING}", kill_kubelet)


def test_the_killed_operator_of_postgresql_is_not_missed(repeated: Callable[..., None]) -> None:
    """The servers go on without it, and it is ready again by itself."""
    most = f"no user is without an answer for {MOST_SECONDS_WITHOUT_OPERATOR:.0f} s"
    repeated("operator of PostgreSQL killed", f"nothing acknowledged is lost, {most}", kill_operator)


def test_a_node_without_network_loses_nothing(repeated: Callable[..., None]) -> None:
    """That of PostgreSQL's primary, which goes on without being reachable, and must not stay a second primary."""
    repeated(f"network of the primary's node cut for {CUT_SECONDS} s", LOSES_NOTHING, cut_network)
