"""Real Redis servers, sentinels and HAProxy with the generated configuration: users, kills, failover, full memory."""

import functools
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from components.stores.redis import configuration, objects
from tests.data.debian import haproxy
from tests.data.redis_servers import (
    RedisServers,
    client,
    complete,
    connect,
    patient_client,
    redis_of,
    running,
    sentinel,
)
from tests.data.redis_writer import Writer
from tests.support.figures import Figures
from tests.support.loopback import STACKS, platform_settings, wait_until
from tests.support.program import surroundings_without_engine

pytestmark = pytest.mark.data

FAILOVER_SECONDS = 10
ROUNDS = 3


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServers]:
    """The server of alpha."""
    with running(tmp_path_factory.mktemp("single"), redis_of("alpha")) as servers:
        yield servers


@pytest.fixture(scope="module")
def replicated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServers]:
    """The three servers of beta with sentinels and proxy."""
    with running(tmp_path_factory.mktemp("replicated"), redis_of("beta")) as servers:
        complete(servers)
        yield servers


@pytest.mark.parametrize("stack", STACKS)
def test_haproxy_accepts_the_configuration_for_every_number_of_servers(stack: str, tmp_path: Path) -> None:
    """`haproxy -c` reads the very text that the pods get, and refuses it once a word is wrong."""
    platform = platform_settings(stack)
    assert platform.redis is not None
    replicas = max(platform.redis.replicas, 3)
    file = tmp_path / "haproxy.cfg"
    hosts = objects.servers(surroundings_without_engine(platform)).hosts(replicas)
    file.write_text(configuration.proxy_configuration(hosts, 1000))
    program, variables = haproxy()
    environment = {**os.environ, **variables, "REDIS_HEALTH_PASSWORD": "x"}

    def check() -> subprocess.CompletedProcess[str]:
        command = [program, "-c", "-f", str(file)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    done = check()
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    file.write_text(file.read_text().replace("option tcp-check", "option tcp-chick"))
    assert check().returncode != 0


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("api-gateway", "SET session value EX 60"),
        ("api-gateway", "GET session"),
        ("api-gateway", "INFO server"),
        ("api-gateway", "PUBLISH channel text"),
        ("exporter", "INFO"),
        ("backup", "LASTSAVE"),
        ("restore", "INFO memory"),
        ("health", "PING"),
        ("replication", "REPLCONF capa eof"),
    ],
)
def test_a_user_may_do_its_work(single: RedisServers, user: str, command: str) -> None:
    """The server answers without an error."""
    client(single.entry, user).execute_command(*command.split())


@pytest.mark.parametrize(
    ("user", "command"),
    [
        *(
            ("api-gateway", command)
            for command in (
                "CONFIG GET *",
                "FLUSHALL",
                "FLUSHDB",
                "KEYS *",
                "SHUTDOWN NOSAVE",
                "ACL LIST",
                "REPLICAOF NO ONE",
                "MONITOR",
                "SAVE",
                "MODULE LIST",
                "CLIENT KILL TYPE normal",
            )
        ),
        ("exporter", "GET session"),
        ("exporter", "CONFIG GET *"),
        ("backup", "SET session x"),
        ("backup", "GET session"),
        ("restore", "GET session"),
        ("restore", "FLUSHALL"),
        ("restore", "CONFIG GET *"),
        ("health", "GET session"),
        ("sentinel", "GET session"),
        ("sentinel", "FLUSHALL"),
        ("replication", "GET session"),
    ],
)
def test_a_user_may_do_nothing_else(single: RedisServers, user: str, command: str) -> None:
    """The server names the missing permission, and the data stays."""
    connected = client(single.entry)
    connected.set("kept", "yes")
    with pytest.raises(redis.exceptions.NoPermissionError):
        client(single.entry, user).execute_command(*command.split())
    assert connected.get("kept") == "yes"


@pytest.mark.parametrize(("user", "password"), [(None, None), ("default", "anything"), ("api-gateway", "wrong")])
def test_nobody_gets_in_without_the_right_password(
    single: RedisServers, user: str | None, password: str | None
) -> None:
    """The user `default`, whom everybody is, is off."""
    stranger = connect(single.entry, configuration.PORT, user, password)
    with pytest.raises(redis.exceptions.AuthenticationError):
        stranger.set("session", "x")


def test_every_acknowledged_write_survives_the_kill_of_a_single_server(single: RedisServers, figures: Figures) -> None:
    """All answered writes are in the append-only file, also those of the last second."""
    connected = client(single.entry)
    for number in range(2000):
        connected.set(f"write:{number}", number)
    single.servers[0].kill()
    single.servers[0].start()
    seconds = wait_until(single.accepts, "the server is back")
    kept = sum(client(single.entry).get(f"write:{number}") == str(number) for number in range(2000))
    assert kept == 2000
    figures.add("Redis, 1 server, kill -9 after 2000 writes", f"{kept} kept, back after {seconds:.1f} s")


def test_full_memory_evicts_keys_with_a_time_to_live_and_refuses_the_rest(tmp_path: Path, figures: Figures) -> None:
    """`volatile-lru` takes only what was meant to go; keys without a time to live are never dropped silently."""
    settings = redis_of("alpha").model_copy(update={"max_memory": "8Mi"})
    with running(tmp_path, settings) as servers:
        connected = client(servers.entry)
        connected.set("precious", "kept")
        for number in range(300):
            connected.set(f"cached:{number}", "x" * 100_000, ex=3600)
        evicted = connected.info("stats")["evicted_keys"]
        assert evicted > 100
        assert connected.get("precious") == "kept"
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            fill(connected)
        assert connected.get("precious") == "kept"
    figures.add("Redis, maxmemory 8Mi, 30 MB written", f"{evicted} keys with a time to live evicted, others kept")


def fill(connected: Any) -> None:  # Any: redis-py types no command
    """Write more without a time to live than the memory holds."""
    for number in range(300):
        connected.set(f"lasting:{number}", "x" * 100_000)


def test_a_killed_primary_is_replaced_in_time_behind_the_same_address(
    replicated: RedisServers, figures: Figures
) -> None:
    """Server and sentinel are killed together, as with a lost node; what a replica has confirmed is never lost."""
    pauses = []
    for _ in range(ROUNDS):
        complete(replicated)
        primary = replicated.primary()
        with Writer(replicated) as writer:
            time.sleep(1)
            before = len(writer.answered)
            replicated.kill(primary)
            wait_until(functools.partial(writer.has_written, before + 50), "writes go on")
            replicated.servers[primary].start()
            replicated.sentinels[primary].start()
            time.sleep(1)
        pauses.append(writer.longest_pause)
        complete(replicated)
        assert replicated.primary() != primary
        connected = patient_client(replicated.entry)
        found = {number for number in writer.answered if connected.get(f"write:{number}") == str(number)}
        assert writer.confirmed <= found
        lost = len(writer.answered - found)
        figures.add(
            f"Redis, 3 servers, primary killed, round {len(pauses)}",
            f"writes again after {pauses[-1]:.1f} s, {len(writer.confirmed)} confirmed by a replica, "
            f"{len(writer.confirmed - found)} of them lost; answered only: {lost} lost",
        )
    assert max(pauses) < FAILOVER_SECONDS


def test_a_planned_end_hands_over_first(replicated: RedisServers, figures: Figures) -> None:
    """The primary's pod ends by its preStop hook and a signal: no answered write is lost, and the pause is short."""
    complete(replicated)
    primary = replicated.primary()
    with Writer(replicated) as writer:
        time.sleep(0.5)
        replicated.end(primary)
        replicated.servers[primary].start()
        replicated.sentinels[primary].start()
        time.sleep(1)
    complete(replicated)
    assert replicated.primary() != primary
    connected = patient_client(replicated.entry)
    lost = {number for number in writer.answered if connected.get(f"write:{number}") != str(number)}
    assert lost == set()
    assert writer.longest_pause < FAILOVER_SECONDS
    figures.add(
        "Redis, 3 servers, planned hand-over",
        f"{len(writer.answered)} answered, 0 lost, writes again after {writer.longest_pause:.1f} s",
    )


def test_a_primary_without_replicas_refuses_writes(replicated: RedisServers, figures: Figures) -> None:
    """Writes that only it would know could be lost, so it says no (min-replicas-to-write), and so does the proxy."""
    complete(replicated)
    primary = replicated.primary()
    others = [index for index in range(3) if index != primary]
    for index in others:
        replicated.kill(index)

    def refuses() -> bool:
        try:
            client(replicated.hosts[primary]).set("alone", "x")
        except redis.RedisError as error:
            return "NOREPLICAS" in str(error)
        return False

    seconds = wait_until(refuses, "the lonely primary refuses writes")
    wait_until(lambda: not replicated.accepts(), "the proxy refuses writes")
    for index in others:
        replicated.servers[index].start()
        replicated.sentinels[index].start()
    wait_until(replicated.accepts, "writes go on when the replicas are back")
    figures.add("Redis, 3 servers, both replicas killed", f"writes refused after {seconds:.1f} s")


def test_all_servers_killed_at_once_come_back_with_the_same_primary_and_data(
    replicated: RedisServers, figures: Figures
) -> None:
    """The volumes know who was primary, so no older copy takes its place."""
    complete(replicated)
    if replicated.primary() == 0:
        replicated.end(0)
        replicated.servers[0].start()
        replicated.sentinels[0].start()
        complete(replicated)
    primary = replicated.primary()
    connected = patient_client(replicated.entry)
    for number in range(200):
        connected.set(f"all:{number}", number)
    for index in range(3):
        replicated.kill(index)
    for index in range(3):
        replicated.servers[index].start()
        replicated.sentinels[index].start()
    seconds = wait_until(replicated.accepts, "writes go on")
    complete(replicated)
    assert replicated.primary() == primary != 0
    kept = sum(connected.get(f"all:{number}") == str(number) for number in range(200))
    assert kept == 200
    figures.add("Redis, all 3 servers killed at once", f"{kept} of 200 writes kept, writes again after {seconds:.1f} s")


def test_sentinels_let_nobody_in_without_the_password(replicated: RedisServers) -> None:
    """Every client that reaches them could choose the primary."""
    stranger = connect(replicated.hosts[0], configuration.SENTINEL_PORT, None, None)
    with pytest.raises(redis.exceptions.AuthenticationError):
        stranger.execute_command("SENTINEL FAILOVER platform")
    known = sentinel(replicated.hosts[0])
    assert str(known.execute_command("SENTINEL", "CKQUORUM", "platform")).startswith("OK 3")
