"""The platform in use while its pods are killed, and while it grows to several servers of each store.

The tests follow each other: one server of each store, then three of each. Users ask and write all the time.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from tests.data.traffic import Traffic
from tests.node.platform.changes import (
    POSTGRES,
    killed,
    late,
    moved,
    names,
    replicas,
    settled,
    with_receiver,
)
from tests.node.platform.project import NAMESPACE, SERVICES, STACK, NodeProject
from tests.node.platform.sessions import PATHS, GatewaySession
from tests.node.platform.users import CLIENT, NOTHING_LOST, Users
from tests.node.real_cluster import wait_until
from tests.observability.loopback_stack import StandIn, stand_in
from tests.support.figures import Figures

pytestmark = pytest.mark.node

WEBHOOK, WEBHOOK_PORT = "alt-las:alertmanagerWebhookUrl", 443
LOADERS = 6
"""Connections that ask without a pause."""

MOST_SECONDS = 60.0
"""Without the only pod of a service or store."""


@pytest.fixture(scope="module")
def webhook(project: NodeProject) -> Iterator[StandIn]:
    """A receiver of alerts on the nodes' bridge."""
    network = project.network()
    with stand_in(network.gateway, WEBHOOK_PORT) as made:
        done = project.pulumi(
            "config", "set", "--stack", STACK, "--secret", WEBHOOK, f"http://{network.gateway}:{WEBHOOK_PORT}/alerts"
        )
        assert done.code == 0, done.text
        yield made


def test_one_server_of_each_is_killed_and_nothing_is_lost(project: NodeProject, busy: Users, figures: Figures) -> None:
    """Each comes back on its volume by itself."""
    pods = {"PostgreSQL": names(project, POSTGRES)[0], "Redis": "redis-0", "NATS": "nats-0"}
    away = {store: killed(project, busy, store, pod) for store, pod in pods.items()}
    settled(project)
    lost = busy.lost()
    figures.add("one server of each store killed", f"no writes for {away} s, lost {lost}")
    assert lost == NOTHING_LOST
    assert late(away, dict.fromkeys(away, MOST_SECONDS)) == {}


def test_the_pod_of_each_service_is_killed(project: NodeProject, busy: Users, figures: Figures) -> None:
    """With one pod a service is away until the next one is ready; the others answer."""
    away = {name: killed(project, busy, name, *names(project, f"app.kubernetes.io/name={name}")) for name in SERVICES}
    settled(project)
    figures.add("the only pod of a service killed", f"no answer for {away} s")
    assert late(away, dict.fromkeys(away, MOST_SECONDS)) == {}


def test_the_stack_grows_to_three_servers_of_each_store(
    project: NodeProject, busy: Users, webhook: StandIn, figures: Figures
) -> None:
    """As alpha grows to beta; alerts get a receiver."""
    assert webhook.alerts == []
    with_receiver(project)
    away = moved(project, busy, 3)
    lost = busy.lost()
    figures.add("one server of each store to three", f"longest time without an answer {away} s, lost {lost}")
    assert lost == NOTHING_LOST


def test_an_alert_is_delivered(webhook: StandIn, figures: Figures) -> None:
    """From Prometheus' rule through Alertmanager to a webhook outside the cluster."""
    seconds = wait_until(lambda: any(alert["labels"]["alertname"] == "Watchdog" for alert in webhook.alerts), 120)
    figures.add("alerts on real nodes", f"the heartbeat was delivered to a webhook, {seconds:.0f} s after the update")
    assert {alert["labels"]["namespace"] for alert in webhook.alerts if "namespace" in alert["labels"]} <= {NAMESPACE}


def test_a_service_scales_on_what_its_pods_use(project: NodeProject, busy: Users, figures: Figures) -> None:
    """More requests than its pods are to use processor time for; pods are added, and the others' number stays."""
    (address,) = {item["status"]["hostIP"] for item in project.objects("pods", CLIENT)}
    start = time.monotonic()
    with ExitStack() as running:
        for _ in range(LOADERS):
            running.enter_context(Traffic(partial(GatewaySession, address, PATHS["api-gateway"]), rest_seconds=0.001))
        wait_until(lambda: replicas(project)["api-gateway"] == 3, 240)
    figures.add("api-gateway scaled on real usage", f"2 to 3 pods after {time.monotonic() - start:.0f} s")
    found = replicas(project)
    busy.go_on()
    assert found == {name: 3 if name == "api-gateway" else 2 for name in SERVICES}
