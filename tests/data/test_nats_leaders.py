"""Leaders of NATS that end, as planned and by a kill: how long nothing is acknowledged, by real servers."""

import asyncio
import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.stores.nats import configuration
from tests.data.nats_servers import NatsServers, make_streams, running
from tests.data.nats_session import CONSUMER, PUBLISHER, STREAM, NatsSession
from tests.data.traffic import Traffic
from tests.support.figures import Figures
from tests.support.loopback import platform_settings, wait_until

pytestmark = pytest.mark.data

MOST_SECONDS = {"lame duck": 3.0, "kill -9": 12.0}
"""A planned end costs one request that waits its 2 seconds in vain, a kill the servers' own election."""

LEAST_ELECTION_SECONDS = 3.0


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[NatsServers]:
    """The three servers of beta with their stream."""
    with running(tmp_path, platform_settings("beta")) as made:
        asyncio.run(make_streams(made, "beta"))
        yield made


def leader(servers: NatsServers, asked: int = 0) -> int:
    """Number of the server that leads the stream, as one of them says."""
    address = f"http://{servers.hosts[asked]}:{configuration.MONITORING_PORT}/jsz?accounts=true&streams=true"
    names: list[str] = []

    def is_known() -> bool:
        with urllib.request.urlopen(address, timeout=5) as answer:  # loopback
            accounts = json.load(answer).get("account_details") or ()
        streams = [each for account in accounts for each in account.get("stream_detail") or ()]
        names[:] = [each["cluster"]["leader"] for each in streams if each["name"] == STREAM]
        return any(names)

    wait_until(is_known, "the stream has a leader", 60)
    return int(names[0].rpartition("-")[2])


def end(servers: NatsServers, folder: Path, how: str) -> None:
    """End the leader, as the preStop hook of its pod begins to, or at once; wait until another one leads."""
    number = leader(servers)
    other = (number + 1) % len(servers.hosts)
    if how == "lame duck":
        os.kill(int((folder / f"nats-{number}/nats.pid").read_text()), signal.SIGUSR2)
    else:
        servers.processes[number].kill()
    wait_until(lambda: leader(servers, other) != number, "another server leads", 60)


@pytest.mark.parametrize("how", MOST_SECONDS)
def test_a_leader_that_ends_is_replaced(servers: NatsServers, tmp_path: Path, figures: Figures, how: str) -> None:
    """In lame duck mode it hands over before its end; the killed one is the control, which costs an election."""
    seen = set[int]()
    urls = {user: servers.url(user) for user in (PUBLISHER, CONSUMER)}
    with Traffic(lambda: NatsSession(urls, seen), rest_seconds=0.02) as traffic:
        wait_until(traffic.goes_on(), "messages are acknowledged before", 60)
        traffic.unavailable("write")
        end(servers, tmp_path, how)
        wait_until(traffic.goes_on(), "messages are acknowledged again", 60)
        away, _ = traffic.unavailable("write")
    figures.add(f"NATS, 3 servers, {how} of the leader", f"no message acknowledged for {away:.1f} s")
    assert away <= MOST_SECONDS[how]
    assert how == "lame duck" or away > LEAST_ELECTION_SECONDS
