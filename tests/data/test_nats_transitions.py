"""NATS from one server to three and back, on the same volumes: nothing that was acknowledged stays behind."""

import asyncio
import json
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import nats
import pytest

from altlas.update.unread_messages import unread_messages
from components.services import SERVICES, message_flows
from components.stores.nats import configuration
from tests.data.nats_servers import (
    PASSWORDS,
    NatsServers,
    free_addresses,
    make_streams,
    nats_of,
    pod,
    quiet,
)
from tests.data.nats_session import CONSUMER, PUBLISHER, STREAM, SUBJECT, NatsSession
from tests.data.traffic import Traffic
from tests.support.figures import Figures
from tests.support.loopback import STACKS, platform_settings, wait_until

pytestmark = pytest.mark.data


class Volumes:
    """Three volumes and the servers on them, one phase after the other, at addresses that stay."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hosts = folder, free_addresses(3)
        self.servers = NatsServers((), ())
        self.seen: set[int] = set()

    def start(self, stack: str) -> None:
        """Start the servers of a stack and make its streams, as the Job does."""
        platform = platform_settings(stack)
        count = nats_of(platform).replicas
        hosts = self.hosts[:count]
        self.servers = NatsServers(hosts, tuple(pod(self.folder, platform, hosts, index) for index in range(count)))
        self.servers.start()
        asyncio.run(make_streams(self.servers, stack))

    def drain(self, stack: str) -> None:
        """Let services read but not publish, and wait until all is read: `altlas up` before it changes the servers."""
        platform = platform_settings(stack)
        flows = [replace(flow, publishes=()) for flow in message_flows(SERVICES)]
        before = self._reloads()
        for index in range(len(self.servers.hosts)):
            users = self.folder / f"nats-{index}/etc/accounts.conf"
            users.write_text(configuration.accounts_file(nats_of(platform), flows, PASSWORDS))
        wait_until(
            lambda: all(now > then for now, then in zip(self._reloads(), before, strict=True)), "they have read it"
        )
        # What was sent and not acknowledged comes again after 30 seconds.
        wait_until(lambda: self.unread() == {}, "all is read", 90)

    def _reloads(self) -> list[int]:
        return [process.log.count("Reloaded server configuration") for process in self.servers.processes]

    def session(self) -> NatsSession:
        """Connections of the services, to what the Service `nats` leads to at that moment."""
        return NatsSession({user: self.servers.url(user) for user in (PUBLISHER, CONSUMER)}, self.seen)

    def unread(self) -> dict[str, int]:
        """Unread messages by stream, as the servers report them."""
        return unread_messages({f"nats-{index}": report(host) for index, host in enumerate(self.servers.hosts)})


def report(host: str) -> Mapping[str, Any]:
    """Report of a server at /jsz."""
    address = f"http://{host}:{configuration.MONITORING_PORT}/jsz?accounts=true&streams=true&consumers=true"
    with urllib.request.urlopen(address, timeout=5) as answer:  # loopback
        found: Mapping[str, Any] = json.load(answer)
        return found


@pytest.fixture
def volumes(tmp_path: Path) -> Iterator[Volumes]:
    """Empty volumes."""
    made = Volumes(tmp_path)
    try:
        yield made
    finally:
        made.servers.stop()


def test_the_round_trip_loses_no_acknowledged_message(volumes: Volumes, figures: Figures) -> None:
    """Alpha, beta, alpha, beta, with a publisher and a consumer all the time."""
    volumes.start("alpha")
    with Traffic(volumes.session) as traffic:
        for before, after in (("alpha", "beta"), ("beta", "alpha"), ("alpha", "beta")):
            wait_until(traffic.goes_on(), "messages are acknowledged before", 60)
            traffic.unavailable("write")
            volumes.drain(before)
            assert set(traffic.answered) <= volumes.seen
            volumes.servers.stop()
            volumes.start(after)
            wait_until(traffic.goes_on(), "messages are acknowledged again", 60)
            longest, _ = traffic.unavailable("write")
            figures.add(f"NATS, {before} to {after}", f"publishers wait for {longest:.1f} s")
        volumes.drain("beta")
    lost = set(traffic.answered) - volumes.seen
    assert lost == set()
    figures.add(
        "NATS, alpha to beta to alpha to beta", f"{len(traffic.answered)} messages acknowledged, {len(lost)} not read"
    )


@pytest.mark.parametrize("stack", STACKS)
def test_servers_that_are_killed_at_once_leave_nothing_unread(volumes: Volumes, stack: str) -> None:
    """As when all nodes are lost for a moment: the next change of their number is not held up by what was in flight."""
    volumes.start(stack)
    with Traffic(volumes.session) as traffic:
        wait_until(traffic.goes_on(), "messages are acknowledged before", 60)
        for process in volumes.servers.processes:
            process.kill()
        volumes.servers.start()
        wait_until(traffic.goes_on(), "messages are acknowledged again", 60)
        volumes.drain(stack)
    assert set(traffic.answered) <= volumes.seen


def test_what_nobody_reads_is_seen_on_one_server_and_on_three(volumes: Volumes) -> None:
    """Without a consumer, and with one that has not read everything."""
    for stack in ("alpha", "beta"):
        volumes.start(stack)
        assert volumes.unread() == {}
        caller = volumes.session() if stack == "beta" else None
        asyncio.run(publish(volumes.servers, 7))
        wait_until(lambda: volumes.unread() == {STREAM: 7}, "seven are unread")
        if caller:
            caller.close()
        volumes.servers.stop()


async def publish(servers: NatsServers, count: int) -> None:
    """Publish messages."""
    client = await nats.connect(servers.url("runner-service"), error_cb=quiet)
    for number in range(count):
        await client.jetstream(timeout=5).publish(SUBJECT, str(number).encode())
    await client.close()
