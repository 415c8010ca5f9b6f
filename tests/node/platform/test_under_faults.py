"""The platform with three servers of each store, in use, under faults of nodes and operators.

Each figure says what came back by itself, after how many seconds, and what users noticed meanwhile.
"""

import os
import signal
import time
from collections.abc import Callable
from functools import partial

import pytest

from cluster.node.commands import run
from tests.faults.cases import Cases
from tests.node.platform.changes import POSTGRES, killed, late, names, node_of, settled
from tests.node.platform.faults import LOSES_NOTHING, MOST_SECONDS, ended, everywhere, noticed
from tests.node.platform.project import HOME, NodeProject
from tests.node.platform.users import NOTHING_LOST, Users
from tests.node.processes import DAEMONS, daemon
from tests.node.real_cluster import wait_until
from tests.support.figures import Figures

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("three_servers")]

CUT_SECONDS = 30
"""More than the 16 after which a node counts as lost."""

MOST_SECONDS_WITHOUT_OPERATOR = 5.0
OPERATOR = "cnpg-controller-manager"
TRIES = 3
"""Times that each fault is tried with all faults; once without."""


def away_from_home(project: NodeProject, busy: Users) -> str:
    """Node of PostgreSQL's primary, which has left the node of the users."""
    pod = names(project, POSTGRES)[0]
    if node_of(project, pod) == HOME:
        killed(project, busy, "PostgreSQL", pod)
        settled(project)
    return node_of(project, names(project, POSTGRES)[0])


def restarts(project: NodeProject) -> dict[str, int]:
    """Number of restarts of each container that runs."""
    return {
        f"{pod['metadata']['name']}/{status['name']}": status["restartCount"]
        for pod in project.pods()
        for status in pod["status"]["containerStatuses"]
    }


def kill_daemon(name: str, project: NodeProject, busy: Users, figures: Figures) -> None:
    """Kill a daemon of the primary's node."""
    settled(project)
    folder, before = project.root / ".altlas/node", restarts(project)
    node = node_of(project, names(project, POSTGRES)[0])

    def fault() -> float:
        old = daemon(folder, node, name)
        assert old is not None
        os.kill(old, signal.SIGKILL)
        seconds = wait_until(lambda: daemon(folder, node, name) not in {None, old})
        machine, record = project.cluster().node(node)
        wait_until(lambda: machine.judges(record))
        return seconds

    found = noticed(busy, fault)
    settled(project)
    figures.add(f"fault of a node: {name} killed", f"runs again after {found}")
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


@pytest.mark.parametrize("name", DAEMONS)
def test_a_killed_daemon_of_the_primary_s_node_takes_nothing_away(repeated: Callable[..., None], name: str) -> None:
    """The node starts it again; no container restarts."""
    promise = f"no container restarts, {LOSES_NOTHING}"
    repeated(f"{name} of the primary's node killed", promise, partial(kill_daemon, name))


def test_the_killed_operator_of_postgresql_is_not_missed(repeated: Callable[..., None]) -> None:
    """The servers go on without it, and it is ready again by itself."""
    most = f"no user is without an answer for {MOST_SECONDS_WITHOUT_OPERATOR:.0f} s"
    repeated("operator of PostgreSQL killed", f"nothing acknowledged is lost, {most}", kill_operator)


def test_a_node_without_network_loses_nothing(repeated: Callable[..., None]) -> None:
    """That of PostgreSQL's primary, which goes on without being reachable, and must not stay a second primary."""
    repeated(f"network of the primary's node cut for {CUT_SECONDS} s", LOSES_NOTHING, cut_network)
