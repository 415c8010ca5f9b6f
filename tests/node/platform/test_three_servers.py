"""The platform with three servers of each store, in use: a primary is killed, a node drained, a node lost.

The tests follow each other, and those of the growth to three servers.
"""

import os
import signal
import time

import pytest

from cluster.node.machine import first_process
from tests.node.platform.changes import (
    POSTGRES,
    killed,
    late,
    leader,
    load,
    names,
    node_of,
    primary,
    settled,
)
from tests.node.platform.project import HOME, SERVICES, NodeProject
from tests.node.platform.users import NOTHING_LOST, Users
from tests.support.figures import Figures

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("three_servers")]

PART_OF = "app.kubernetes.io/part-of=alt-las"
MOST_SECONDS = {"PostgreSQL": 15.0, "Redis": 10.0, "NATS": 12.0}
"""Time without writes after a killed pod. Servers of NATS elect another leader 4 to 9 seconds after its last sign."""

MOST_SECONDS_EVICTED = MOST_SECONDS | {"NATS": 5.0}
"""Time without writes while pods are evicted: a leader of NATS hands over before."""

MOST_SECONDS_OF_A_NODE = 60.0
"""Without PostgreSQL's writes after its node is lost."""

MOST_SECONDS_OF_SERVICES = dict.fromkeys(SERVICES, 3.0)
"""Time without an answer while pods are evicted; each service has two."""


def test_a_killed_primary_is_replaced_by_another_server(project: NodeProject, busy: Users, figures: Figures) -> None:
    """By PostgreSQL's operator, by Redis' sentinels, by NATS' own election."""
    settled(project)
    pods = {"PostgreSQL": names(project, POSTGRES)[0], "Redis": primary(project), "NATS": leader(project)}
    away = {store: killed(project, busy, store, pod) for store, pod in pods.items()}
    settled(project)
    lost = busy.lost()
    figures.add("failover of a killed pod", f"no writes for {away} s (at most {MOST_SECONDS}), lost {lost}{load()}")
    assert lost == NOTHING_LOST
    assert late(away, MOST_SECONDS) == {}


def test_a_drained_node_takes_nothing_away(project: NodeProject, busy: Users, figures: Figures) -> None:
    """Evictions wait for the disruption budgets; services go on, and stores take writes soon."""
    node = node_of(project, names(project, POSTGRES)[0])
    node = node if node != HOME else "node-b"
    busy.go_on()
    busy.forget_pauses()
    try:
        drain = ("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=240s")
        done = project.kubectl(*drain, f"--pod-selector={PART_OF}")
        assert done.code == 0, done.text
        left = {pod["metadata"]["name"] for pod in project.pods() if pod["spec"]["nodeName"] == node}
        busy.go_on()
    finally:
        project.kubectl("uncordon", node)
    away = busy.pauses()
    settled(project)
    lost = busy.lost()
    figures.add("a node drained", f"longest time without an answer {away} s, lost {lost}{load()}")
    assert left == set()
    assert lost == NOTHING_LOST
    assert late(away, MOST_SECONDS_EVICTED | MOST_SECONDS_OF_SERVICES) == {}


def test_a_lost_node_takes_no_data_with_it(project: NodeProject, busy: Users, figures: Figures) -> None:
    """The node of PostgreSQL's primary ends at once, and comes back later."""
    pod = names(project, POSTGRES)[0]
    if node_of(project, pod) == HOME:
        killed(project, busy, "PostgreSQL", pod)
        settled(project)
    node = node_of(project, names(project, POSTGRES)[0])
    busy.go_on()
    busy.forget_pauses()
    cluster = project.cluster()
    _, record = cluster.node(node)
    others = {name: cluster.node(name)[1] for name in project.network().nodes if name != node}
    os.kill(first_process(record) or record.pid, signal.SIGKILL)
    time.sleep(10)  # users notice
    busy.go_on(seconds=300)
    away = busy.pauses()
    start = time.monotonic()
    cluster.up()
    ready = time.monotonic() - start
    assert {name: cluster.node(name)[1] for name in others} == others, "only the lost node is started"
    settled(project)
    lost = busy.lost()
    figures.add(
        "the node of PostgreSQL's primary lost",
        f"longest time without an answer {away} s, lost {lost}; started again and Ready after {ready:.0f} s{load()}",
    )
    assert lost == NOTHING_LOST
    assert late(away, {"PostgreSQL": MOST_SECONDS_OF_A_NODE}) == {}
