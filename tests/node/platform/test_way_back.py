"""The platform in use: all nodes start again at once, it goes back to one server of each store, and grows once more.

The tests follow each other, and those of the growth to three servers and of faults.
"""

import os
import signal
import time

import pytest

from cluster.node.machine import first_process
from tests.node.platform.changes import load, moved, settled
from tests.node.platform.project import NodeProject
from tests.node.platform.users import NOTHING_LOST, Users
from tests.support.figures import Figures

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("three_servers")]


def test_all_nodes_start_again_at_once(project: NodeProject, busy: Users, figures: Figures) -> None:
    """As after a failure of power: every pod ends, and what was acknowledged is on the volumes."""
    settled(project)
    busy.go_on()
    busy.forget_pauses()
    cluster = project.cluster()
    for _, record in [cluster.node(name) for name in project.network().nodes]:
        os.kill(first_process(record) or record.pid, signal.SIGKILL)
    start = time.monotonic()
    cluster.up()
    ready = time.monotonic() - start
    busy.go_on(seconds=300)
    away = busy.pauses()
    settled(project)
    lost = busy.lost()
    figures.add(
        "all nodes killed and started again",
        f"Ready after {ready:.0f} s, longest time without an answer {away} s, lost {lost}{load()}",
    )
    assert lost == NOTHING_LOST


def test_the_stack_goes_back_to_one_server_of_each_store_and_grows_again(
    project: NodeProject, busy: Users, figures: Figures
) -> None:
    """As beta goes back to alpha; then on the volumes that the first growth left behind."""
    lost = {}
    for servers, what in ((1, "three servers of each store to one"), (3, "one server of each store to three, again")):
        away = moved(project, busy, servers)
        settled(project)
        lost[what] = busy.lost()
        figures.add(what, f"longest time without an answer {away} s, lost {lost[what]}{load()}")
    written = {store: len(busy.traffic[store].answered) for store in NOTHING_LOST}
    figures.add("writes acknowledged by all stores until then", f"{written}")
    assert lost == dict.fromkeys(lost, NOTHING_LOST)
