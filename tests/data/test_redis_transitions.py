"""Redis from one server to three and back, on the same volumes: no older volume takes the place of a newer one."""

import contextlib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from tests.data.redis_servers import (
    RedisServers,
    client,
    complete,
    free_addresses,
    hand_over,
    patient_client,
    pod,
    proxy_of,
    redis_of,
)
from tests.data.traffic import Traffic
from tests.support.figures import Figures
from tests.support.loopback import Process, wait_until

pytestmark = pytest.mark.data


class Volumes:
    """Three volumes and what runs on them, one phase after the other, at addresses that stay."""

    def __init__(self, folder: Path) -> None:
        *hosts, self.entry = free_addresses(4)
        self.folder, self.hosts = folder, tuple(hosts)
        self.running: dict[int, tuple[Process, Process | None]] = {}
        self.proxy = proxy_of(folder, self.hosts, self.entry)
        self.address = self.hosts[0]

    def start(self, stack: str, index: int) -> None:
        """Start the pod of a server with the template of a stack; what ran there before has ended."""
        self.end(index)
        self.running[index] = pod(self.folder, redis_of(stack), self.hosts, index)
        for process in self.running[index]:
            if process:
                process.start()

    def end(self, index: int) -> None:
        """Take a pod away."""
        for process in self.running.pop(index, ()):
            if process:
                process.kill()

    def end_all(self) -> None:
        """Take everything away."""
        for index in (*self.running,):
            self.end(index)
        self.proxy.kill()

    def role(self, index: int) -> str:
        """Role of a server and whether it is in touch with its primary; empty where it does not answer."""
        with contextlib.suppress(redis.RedisError):
            info = client(self.hosts[index], "health").info("replication")
            return f"{info['role']} {info.get('master_link_status', '')}".strip()
        return ""

    def sentinel_answers(self, index: int) -> bool:
        """Readiness of the sentinel of a pod."""
        server, _ = self.running[index]
        hook = ["sh", str(server.folder / "etc/is-sentinel-ready.sh")]
        environment = dict(server.environment)
        return subprocess.run(hook, env=environment, check=False, capture_output=True).returncode == 0

    def stop(self, index: int) -> None:
        """End a pod as the kubelet does: preStop hook, then the signal."""
        server, beside = self.running.pop(index)
        hand_over(server)
        server.stop()
        if beside:
            beside.stop()

    def alone(self) -> None:
        """Start what alpha runs: the first server, without the others."""
        self.end_all()
        self.start("alpha", 0)
        wait_until(lambda: self.role(0) == "master", "the single server answers")

    def grow(self) -> None:
        """Go from alpha to beta as the StatefulSet does it: the first pod is replaced when both others are ready."""
        self.proxy.start()
        wait_until(self.accepts, "the proxy serves what a single server has")
        self.address = self.entry
        self.start("beta", 1)
        self.start("beta", 2)
        wait_until(lambda: all(self.sentinel_answers(index) for index in (1, 2)), "the new pods are ready", 60)
        assert self.role(0) == "master"
        assert [self.role(index) for index in (1, 2)] == ["slave up"] * 2
        self.stop(0)
        self.start("beta", 0)

    def shrink(self) -> None:
        """Go from beta to alpha as `altlas up` does it: the first pod is replaced when both others have ended."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.stop, (1, 2)))
        self.stop(0)
        self.start("alpha", 0)
        wait_until(lambda: self.role(0) == "master", "the single server answers")
        self.address = self.hosts[0]
        self.proxy.stop()

    def accepts(self) -> bool:
        """True if the proxy lets a write through."""
        with contextlib.suppress(redis.RedisError):
            return bool(client(self.entry).set("is-it-there", 1))
        return False

    def complete(self) -> RedisServers:
        """The three servers of beta, when they and their sentinels know each other."""
        pods = [self.running[index] for index in range(3)]
        sentinels = tuple(beside for _, beside in pods if beside)
        made = RedisServers(self.hosts, tuple(server for server, _ in pods), sentinels, self.proxy, self.entry)
        complete(made)
        return made

    def values(self, key: str) -> list[str | None]:
        """Value of a key on each server."""
        return [client(host).get(key) for host in self.hosts]


@pytest.fixture
def volumes(tmp_path: Path) -> Iterator[Volumes]:
    """Empty volumes."""
    made = Volumes(tmp_path)
    try:
        yield made
    finally:
        made.end_all()


def hand_to_the_third(volumes: Volumes, servers: RedisServers) -> None:
    """Make the third server the primary: no other one answers while the sentinels choose.

    The others return when both sentinels name it: one that ends before takes the unfinished change back.
    """
    primary = servers.primary()
    if primary == 2:
        return
    other = 1 - primary
    servers.servers[other].kill()
    servers.kill(primary)
    named = {servers.hosts[2]}
    wait_until(lambda: {servers.named_by(index) for index in (other, 2)} == named, "the third is the primary", 60)
    for index in (0, 1):
        volumes.start("beta", index)
    volumes.complete()


def replicated_life(volumes: Volumes) -> None:
    """A time in alpha, then in beta, whose last primary is the third server."""
    volumes.alone()
    client(volumes.hosts[0]).set("mark", "first alpha")
    volumes.grow()
    servers = volumes.complete()
    assert volumes.values("mark") == ["first alpha"] * 3
    hand_to_the_third(volumes, servers)
    assert servers.primary() == 2
    patient_client(volumes.entry).set("mark", "first beta")
    wait_until(lambda: volumes.values("mark") == ["first beta"] * 3, "every server has it")


class Caller:
    """A connection of a service, to what the Service `redis` leads to at that moment."""

    def __init__(self, volumes: Volumes) -> None:
        self._client = client(volumes.address, seconds=2)

    def write(self, number: int) -> None:
        """Set a key."""
        self._client.set(f"write:{number}", number)

    def read(self, number: int) -> bool:
        """Tell whether a key is there."""
        return bool(self._client.get(f"write:{number}") == str(number))

    def close(self) -> None:
        """End the connection."""
        self._client.close()


def test_the_round_trip_loses_no_answered_write(volumes: Volumes, figures: Figures) -> None:
    """Alpha, beta, alpha, beta, with a writer and a reader all the time, and a cold start at the end."""
    volumes.alone()
    with Traffic(lambda: Caller(volumes)) as traffic:
        for number, change in enumerate((volumes.grow, volumes.shrink, volumes.grow)):
            wait_until(traffic.goes_on(), "writes are answered before")
            for what in ("write", "read"):
                traffic.unavailable(what)
            change()
            if change == volumes.grow:
                volumes.complete()
            wait_until(traffic.goes_on(), "writes are answered again")
            parts = [f"{what}s {sum_:.1f} s" for what in ("write", "read") for _, sum_ in [traffic.unavailable(what)]]
            figures.add(f"Redis, change {number + 1}, {change.__name__}", f"unavailable: {', '.join(parts)}")
    servers = volumes.complete()
    found = client(volumes.hosts[servers.primary()])
    lost = {number for number in traffic.answered if found.get(f"write:{number}") != str(number)}
    assert lost == set()
    primary = servers.primary()
    for index in range(3):
        servers.kill(index)
    for index in range(3):
        servers.servers[index].start()
        servers.sentinels[index].start()
    complete(servers)
    assert servers.primary() == primary
    last = traffic.answered[-1]
    assert volumes.values(f"write:{last}") == [str(last)] * 3
    figures.add(
        "Redis, alpha to beta to alpha to beta",
        f"{len(traffic.answered)} writes answered, {len(lost)} lost, "
        f"{len(traffic.stale)} not seen by a read while a primary was replaced",
    )


def test_the_first_server_returns_replicated_before_the_others_have_copied(volumes: Volumes) -> None:
    """A node that fails in the middle of the transition: older volumes wait, and copy when the first is back."""
    replicated_life(volumes)
    volumes.alone()
    client(volumes.hosts[0]).set("mark", "second alpha")
    volumes.end(0)
    volumes.start("beta", 1)
    volumes.start("beta", 2)
    volumes.proxy.start()
    volumes.start("beta", 0)
    volumes.complete()
    assert volumes.values("mark") == ["second alpha"] * 3


def test_older_volumes_that_went_on_without_the_first_server_do_not_take_it_over(volumes: Volumes) -> None:
    """Servers waited for the first in vain. It returns and keeps what it has; restarted, they copy it."""
    replicated_life(volumes)
    volumes.alone()
    client(volumes.hosts[0]).set("mark", "second alpha")
    volumes.end(0)
    for index in (1, 2):
        volumes.start("beta", index)
    wait_until(lambda: volumes.role(2) == "master" and volumes.role(1) == "slave up", "the others go on alone", 60)
    wait_until(lambda: all(volumes.sentinel_answers(index) for index in (1, 2)), "so do their sentinels", 60)
    volumes.start("beta", 0)
    wait_until(lambda: volumes.sentinel_answers(0), "the first is back")
    with pytest.raises(AssertionError, match="demoted"):
        # The sentinels demote a server that they know within ten seconds.
        wait_until(lambda: volumes.role(0).startswith("slave"), "demoted", 15)
    assert client(volumes.hosts[0]).get("mark") == "second alpha"
    for index in (1, 2):
        volumes.start("beta", index)
    volumes.proxy.start()
    volumes.complete()
    assert volumes.values("mark") == ["second alpha"] * 3
