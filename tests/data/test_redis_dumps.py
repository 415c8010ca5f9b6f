"""Dumps and restores of real Redis servers, by the users that the program gives them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backup import metrics
from backup.repository import Repository
from components.stores.redis import configuration
from tests.data import debian
from tests.data.backup_command import BackupCommand, path_with
from tests.data.redis_servers import (
    PASSWORDS,
    RedisServers,
    client,
    complete,
    connect,
    patient_client,
    redis_of,
    running,
    sentinel,
)
from tests.support.figures import Figures

pytestmark = pytest.mark.data

LASTING = 5000


def command(servers: RedisServers, root: Path, **changes: str) -> BackupCommand:
    """The command as the CronJob of a stack runs it."""
    environment = {
        "PATH": path_with(debian.redis()),
        "REDIS_HOSTS": " ".join(servers.hosts),
        "REDIS_HOST": servers.entry,
        "REDIS_PORT": str(configuration.PORT),
        "REDIS_PASSWORD": PASSWORDS["backup"],
        "REDIS_RESTORE_PASSWORD": PASSWORDS["restore"],
    }
    return BackupCommand(Repository(root, "redis"), environment | changes)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServers]:
    """The server of alpha, filled with every kind of value."""
    with running(tmp_path_factory.mktemp("single"), redis_of("alpha")) as servers:
        fill(client(servers.entry))
        yield servers


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServers]:
    """A second server beside it, with nothing in it."""
    with running(tmp_path_factory.mktemp("empty"), redis_of("alpha")) as servers:
        client(servers.entry).delete("is-it-there")
        yield servers


def fill(connected: Any) -> None:  # Any: redis-py types no command
    """Every kind of value, with and without a time to live; one key's time has come when the drill runs."""
    batch = connected.pipeline(transaction=False)
    for number in range(LASTING - 6):
        batch.set(f"text:{number}", f"ğüşöç \0 {number}" * 10)
    batch.hset("hash", mapping={f"field {number}": number for number in range(1000)})
    batch.rpush("list", *range(1000))
    batch.sadd("set", *(f"member {number}" for number in range(1000)))
    batch.zadd("sorted", {f"member {number}": number / 7 for number in range(1000)})
    batch.xadd("stream", {"field": "value"})
    batch.set("session", "x", ex=3600)
    batch.set("soon-gone", "x", px=1500)
    batch.execute()


def values(connected: Any) -> dict[str, Any]:  # Any: see fill()
    """A sample of what a server holds, by value."""
    return {
        "text": connected.get("text:17"),
        "hash": connected.hgetall("hash"),
        "list": connected.lrange("list", 0, -1),
        "set": sorted(connected.smembers("set")),
        "sorted": connected.zrange("sorted", 0, -1, withscores=True),
        "stream": connected.xrange("stream"),
        "session": connected.get("session"),
        "lives": 3000 < connected.ttl("session") <= 3600,
    }


def test_a_dump_is_proven_and_restored_with_the_same_values(
    single: RedisServers, empty: RedisServers, tmp_path: Path, figures: Figures
) -> None:
    """By the user of the dumps, who may read no key, into another server by the user of the restores."""
    backups = command(single, tmp_path)
    dumped = backups.answer("dump", "--drill")
    (drilled,) = dumped["drill"]
    assert drilled["items"] >= LASTING + 1
    assert backups.report()["figures"][metrics.DUMP_SIZE] == dumped["size_bytes"] > 10_000
    (drilled,) = backups.answer("drill")["drill"]
    assert backups.report()["figures"][metrics.DRILL_RECOVERY_TIME] == drilled["recovery_time_seconds"]
    (restored,) = backups.answer("restore", "--into", empty.entry)["restored"]
    assert restored["items"] >= LASTING + 1
    assert restored["aside"] is None
    assert values(client(empty.entry)) == values(client(single.entry))
    figures.add(
        f"Redis, dump and drill of {drilled['items']} keys",
        f"RPO {drilled['recovery_point_seconds']} s, RTO {drilled['recovery_time_seconds']} s, restore into another "
        f"server {restored['recovery_time_seconds']} s",
    )


def test_live_data_changes_place_with_the_copy_only_on_demand(single: RedisServers, tmp_path: Path) -> None:
    """Without --replace it is refused; with it, what was there is kept in another database of the same server."""
    backups, live = command(single, tmp_path), client(single.entry)
    backups.answer("dump")
    live.set("text:17", "written after the dump")
    refused = backups.refusal("restore")
    assert refused.startswith(f"error: Redis at {single.entry} holds data in database 0 (")
    assert refused.endswith("restore into an empty server with --into, or replace it with --replace")
    assert live.get("text:17") == "written after the dump"
    (restored,) = backups.answer("restore", "--replace")["restored"]
    assert restored["aside"] == "database 15"
    assert live.get("text:17") == "ğüşöç \0 17" * 10
    aside = connect(single.entry, configuration.PORT, "api-gateway", PASSWORDS["api-gateway"])
    aside.connection_pool.connection_kwargs["db"] = 15
    assert aside.get("text:17") == "written after the dump"
    refused = backups.refusal("restore", "--replace", "--only", "3")
    assert refused == "error: the backup holds no database 3; it holds: 0"


def test_a_full_server_keeps_what_it_has(single: RedisServers, tmp_path: Path) -> None:
    """There must be room for both, else keys with a time to live would go."""
    backups = command(single, tmp_path / "backups")
    backups.answer("dump")
    small = redis_of("alpha").model_copy(update={"max_memory": "3Mi"})
    with running(tmp_path, small) as servers:
        refused = backups.refusal("restore", "--into", servers.entry, "--replace")
        assert "bytes, and the copy needs" in refused
        assert refused.endswith("or raise maxMemory. Nothing was changed")
        assert client(servers.entry).get("is-it-there") == "1"
        assert client(servers.entry).dbsize() == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("flipped", "the checksum of dump.rdb"),
        ("cut", "it is cut off"),
        ("empty", "it is cut off"),
        ("gone", "missing"),
    ],
)
def test_a_damaged_dump_is_refused(single: RedisServers, tmp_path: Path, damage: str, message: str) -> None:
    """One bit, the last byte, everything, or the file itself; live data stays."""
    backups, live = command(single, tmp_path), client(single.entry)
    path = tmp_path / "redis" / backups.answer("dump")["backup"] / "dump.rdb"
    before, sealed = values(live), bytearray(path.read_bytes())
    sealed[len(sealed) // 2] ^= 1
    changed = {"flipped": bytes(sealed), "cut": path.read_bytes()[:-1], "empty": b""}
    path.unlink() if damage == "gone" else path.write_bytes(changed[damage])
    for request in (("restore", "--replace"), ("drill",), ("check",)):
        assert message in backups.refusal(*request)
    assert backups.report()["figures"] == {metrics.DRILL_SUCCESS: 0}
    assert values(live) == before


def test_bad_requests_are_refused_with_what_is_right(single: RedisServers, tmp_path: Path) -> None:
    """A wrong key or password, an unknown id, a time before the first backup, a server that is not there."""
    backups = command(single, tmp_path)
    known = backups.answer("dump")["backup"]
    assert "was encrypted with the key" in backups.refusal("restore", "--replace", BACKUP_KEY="z" * 43)
    assert f"redis has no backup 'yesterday'; there are: {known}" in backups.refusal("check", "--backup", "yesterday")
    early = "2026-01-01T00:00:00+00:00"
    assert f"redis has no backup from before {early}; the oldest is {known}" in backups.refusal("drill", "--at", early)
    assert "WRONGPASS" in backups.refusal("dump", REDIS_PASSWORD="wrong")
    assert "invalid username-password pair" in backups.refusal("restore", "--replace", REDIS_RESTORE_PASSWORD="wrong")
    refused = backups.refusal("dump", REDIS_HOSTS="127.0.0.1", REDIS_PORT="1")
    assert "Could not connect to Redis at 127.0.0.1:1: Connection refused" in refused
    assert backups.report()["figures"] == {metrics.DUMP_SUCCESS: 0}
    assert [each.id for each in backups.repository.backups()] == [known]


def test_the_second_of_two_restores_is_refused(single: RedisServers, tmp_path: Path) -> None:
    """One at a time, and it says so."""
    backups = command(single, tmp_path)
    backups.answer("dump")
    with backups.repository.locked("restore"):
        refused = backups.refusal("restore", "--replace")
    assert refused == "error: another restore of redis is at work; wait until it has ended"


def test_a_server_that_is_newer_than_the_image_is_refused_by_name(single: RedisServers, tmp_path: Path) -> None:
    """An older server cannot load its dumps; the same versions are no reason."""
    older = command(single, tmp_path / "backups", PATH=path_with())
    refused = older.refusal("dump")
    assert "is Redis 7.0.15, and Redis 6.2.14 of this image cannot load its dumps; use a backup image with" in refused
    assert older.repository.backups() == ()
    command(single, tmp_path / "backups").answer("dump")


def test_a_dump_that_does_not_load_is_no_backup(single: RedisServers, tmp_path: Path) -> None:
    """A client that ends well with half a file: the server of the drill refuses it."""
    fake = tmp_path / "bin" / "redis-cli"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nfor file; do :; done\nprintf "REDIS0009\\372\\011redis-ver" > "$file"\n')
    fake.chmod(0o755)
    backups = command(single, tmp_path / "backups", PATH=path_with(fake.parent, debian.redis()))
    assert "the server for the drill does not load the dump; it said:" in backups.refusal("dump")
    assert backups.repository.backups() == ()


def test_of_several_servers_a_replica_is_dumped_and_sentinels_see_nothing(tmp_path: Path, figures: Figures) -> None:
    """The primary neither copies itself nor gets a false replica; without a replica in touch there is no dump."""
    with running(tmp_path, redis_of("beta")) as servers:
        complete(servers)
        connected = patient_client(servers.entry)
        fill(connected)
        backups = command(servers, tmp_path / "backups")
        dumped = backups.answer("dump", "--drill")
        (found,) = backups.repository.backups()
        primary = servers.hosts[servers.primary()]
        assert found.manifest["dumped_from"] in set(servers.hosts) - {primary}
        complete(servers)
        known = sentinel(servers.hosts[0]).execute_command("SENTINEL", "MASTER", "platform")
        assert dict(zip(known[::2], known[1::2], strict=True))["num-slaves"] == "2"
        (restored,) = backups.answer("restore", "--replace")["restored"]
        assert connected.hget("hash", "field 3") == "3"
        for index in {0, 1, 2} - {servers.primary()}:
            servers.kill(index)
        refused = backups.refusal("dump")
        assert "no replica of Redis is in touch with its primary, so none can be dumped" in refused
        assert f"{primary}: primary" in refused
    figures.add(
        f"Redis, 3 servers, dump from a replica and restore behind the proxy of {restored['items']} keys",
        f"RPO {dumped['drill'][0]['recovery_point_seconds']} s, RTO {restored['recovery_time_seconds']} s",
    )
