"""Dumps and restores of real NATS servers, by the users that the program gives them."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import nats
import pytest
from nats.errors import Error as NatsError

from backup import metrics
from backup.repository import Repository
from components.stores.nats import configuration
from tests.data.backup_command import BackupCommand, nats_command, path_with
from tests.data.nats_servers import PASSWORDS, NatsServers, make_streams, running, send
from tests.support.figures import Figures
from tests.support.loopback import platform_settings, wait_until

pytestmark = pytest.mark.data

STREAM = "LAST_FILES"
SUBJECT = "last.files"
CONSUMER = "archive-service"
MESSAGES = 3000
TAKEN = 40


def command(servers: NatsServers, root: Path, **changes: str) -> BackupCommand:
    """The command as the CronJob of a stack runs it."""
    environment = {
        "PATH": path_with(nats_command()),
        "NATS_URL": ",".join(f"nats://{host}:{configuration.PORT}" for host in servers.hosts),
        "NATS_PASSWORD": PASSWORDS[configuration.BACKUP_USER],
        "NATS_RESTORE_PASSWORD": PASSWORDS[configuration.RESTORE_USER],
    }
    return BackupCommand(Repository(root, "nats"), environment | changes)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServers]:
    """The server of alpha with its stream, messages, and a consumer that has taken some."""
    with running(tmp_path_factory.mktemp("single"), platform_settings("alpha")) as servers:
        asyncio.run(make_streams(servers, "alpha"))
        asyncio.run(publish(servers, MESSAGES))
        asyncio.run(take(servers))
        yield servers


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[NatsServers]:
    """A second server beside it, with nothing in it."""
    with running(tmp_path / "empty", platform_settings("alpha")) as servers:
        yield servers


async def publish(servers: NatsServers, count: int) -> None:
    """Publish messages with headers as the service that does."""
    client = await nats.connect(servers.url("runner-service"))
    stream = client.jetstream(timeout=10)
    for number in range(count):
        await send(stream, SUBJECT, f"ğüşöç {number}".encode() * 20, {"Number": str(number)})
    await client.close()


async def take(servers: NatsServers) -> None:
    """Take messages as the service that does, through the consumer of its own name."""
    client = await nats.connect(servers.url(CONSUMER))
    subscription = await client.jetstream(timeout=10).pull_subscribe(SUBJECT, durable=CONSUMER, stream=STREAM)
    taken, deadline = 0, time.monotonic() + 60
    while taken < TAKEN:
        assert time.monotonic() < deadline, f"only {taken} messages come"
        # The leader of a new consumer may be late.
        with suppress(NatsError, TimeoutError):
            for message in await subscription.fetch(TAKEN - taken, timeout=10):
                await message.ack_sync(timeout=20)
                taken += 1
    await client.close()


async def held(servers: NatsServers) -> tuple[int, int, int]:
    """Messages that wait for the consumer, those that it has acknowledged, and those that it has not."""
    client = await nats.connect(servers.url(CONSUMER))
    stream = client.jetstream(timeout=10)
    consumer = await stream.consumer_info(STREAM, CONSUMER)
    await client.close()
    assert consumer.ack_floor is not None
    return consumer.num_pending or 0, consumer.ack_floor.stream_seq, consumer.num_ack_pending or 0


def test_a_dump_is_proven_and_restored_with_consumers(
    single: NatsServers, empty: NatsServers, tmp_path: Path, figures: Figures
) -> None:
    """By the user of the dumps, who may read no message, into another server by the user of the restores."""
    backups = command(single, tmp_path / "backups")
    dumped = backups.answer("dump", "--drill")
    (drilled,) = dumped["drill"]
    assert (drilled["part"], drilled["items"]) == (STREAM, MESSAGES)
    (found,) = backups.repository.backups()
    content = found.manifest["content"][STREAM]
    assert content["consumers"] == {CONSUMER: {"delivered": TAKEN, "acknowledged": TAKEN}}
    assert (content["first_sequence"], content["last_sequence"]) == (1, MESSAGES)
    assert backups.report()["figures"][metrics.DUMP_SIZE] == dumped["size_bytes"] > 0
    (restored,) = backups.answer("restore", "--into", empty.hosts[0])["restored"]
    assert (restored["part"], restored["items"], restored["aside"]) == (STREAM, MESSAGES, None)
    assert asyncio.run(held(empty)) == asyncio.run(held(single)) == (MESSAGES - TAKEN, TAKEN, 0)
    again = command(empty, tmp_path / "copies")
    again.answer("dump")
    assert again.repository.backups()[0].manifest["content"] == found.manifest["content"]
    figures.add(
        f"NATS, dump and drill of {MESSAGES} messages",
        f"RPO {drilled['recovery_point_seconds']} s, RTO {drilled['recovery_time_seconds']} s, restore into another "
        f"server {restored['recovery_time_seconds']} s",
    )


def test_live_messages_are_replaced_only_on_demand_and_dumped_before(single: NatsServers, tmp_path: Path) -> None:
    """A stream has one name and one place, so what is there is kept as a backup."""
    backups = command(single, tmp_path)
    first = backups.answer("dump")["backup"]
    asyncio.run(publish(single, 5))
    refused = backups.refusal("restore")
    assert f"has the stream {STREAM}; restore into a server without it with --into, or replace it" in refused
    assert asyncio.run(held(single))[0] == MESSAGES - TAKEN + 5
    (restored,) = backups.answer("restore", "--replace", "--backup", first)["restored"]
    assert asyncio.run(held(single)) == (MESSAGES - TAKEN, TAKEN, 0)
    kept = backups.repository.backups()[-1]
    assert restored["aside"] == f"backup {kept.id}"
    assert kept.manifest["content"][STREAM]["messages"] == MESSAGES + 5


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "gone"])
def test_a_damaged_dump_is_refused(single: NatsServers, tmp_path: Path, damage: str) -> None:
    """One bit, the last byte, everything, or the file itself; live messages stay."""
    backups, before = command(single, tmp_path), asyncio.run(held(single))
    path = tmp_path / "nats" / backups.answer("dump")["backup"] / f"{STREAM}.stream.tar.s2"
    sealed = bytearray(path.read_bytes())
    sealed[len(sealed) // 2] ^= 1
    changed = {"flipped": bytes(sealed), "cut": path.read_bytes()[:-1], "empty": b""}
    path.unlink() if damage == "gone" else path.write_bytes(changed[damage])
    expected = {"flipped": "the checksum of", "cut": "it is cut off", "empty": "it is cut off", "gone": "is missing"}
    for request in (("restore", "--replace"), ("drill",)):
        assert expected[damage] in backups.refusal(*request)
    assert backups.report()["figures"] == {metrics.DRILL_SUCCESS: 0}
    assert asyncio.run(held(single)) == before
    assert len(backups.repository.backups()) == 1


def test_bad_requests_are_refused_with_what_is_right(single: NatsServers, tmp_path: Path) -> None:
    """A wrong key or password, an unknown id or stream, a server that is not there, a second restore."""
    backups = command(single, tmp_path)
    assert "NATS has no stream OTHER; there are: LAST_FILES" in backups.refusal("dump", "--only", "OTHER")
    known = backups.answer("dump")["backup"]
    assert "was encrypted with the key" in backups.refusal("restore", "--replace", BACKUP_KEY="z" * 43)
    assert f"nats has no backup 'yesterday'; there are: {known}" in backups.refusal("check", "--backup", "yesterday")
    assert "holds no stream OTHER; it holds: LAST_FILES" in backups.refusal("restore", "--only", "OTHER")
    assert "Authorization Violation" in backups.refusal("dump", NATS_PASSWORD="wrong")
    assert "no servers available" in backups.refusal("dump", NATS_URL="nats://127.0.0.1:1")
    with backups.repository.locked("restore"):
        refused = backups.refusal("restore", "--replace")
    assert refused == "error: another restore of nats is at work; wait until it has ended"
    assert [each.id for each in backups.repository.backups()] == [known]


def test_a_dump_that_does_not_restore_is_no_backup(single: NatsServers, tmp_path: Path) -> None:
    """A client that ends well with half a file: the server of the drill refuses it."""
    fake, real = tmp_path / "bin" / "nats", nats_command() / "nats"
    fake.parent.mkdir()
    cut = 'if [ "$2" = backup ]; then truncate -s 100 "$4/stream.tar.s2"; fi'
    fake.write_text(f'#!/bin/sh\nset -e\n"{real}" "$@"\n{cut}\n')
    fake.chmod(0o755)
    backups = command(single, tmp_path / "backups", PATH=path_with(fake.parent))
    assert "NATS at nats://127.0.0.1:" in backups.refusal("dump")
    assert backups.repository.backups() == ()


def test_a_stream_on_three_servers_comes_back_on_three(tmp_path: Path, figures: Figures) -> None:
    """With its replicas, while a consumer's place is kept; the drill needs one server only."""
    with running(tmp_path / "servers", platform_settings("beta")) as servers:
        made = asyncio.run(make_streams(servers, "beta"))
        assert made.config.num_replicas == 3
        asyncio.run(publish(servers, 200))
        asyncio.run(take(servers))
        backups = command(servers, tmp_path / "backups")
        dumped = backups.answer("dump", "--drill")
        asyncio.run(publish(servers, 7))
        (restored,) = backups.answer("restore", "--replace")["restored"]
        assert restored["items"] == 200
        assert asyncio.run(make_streams(servers, "beta")).config.num_replicas == 3
        # A consumer on three servers elects a leader of its own.
        wait_until(lambda: asyncio.run(held(servers)) == (200 - TAKEN, TAKEN, 0), "the consumer is where it was")
    figures.add(
        "NATS, 3 servers, stream on three replaced by its dump",
        f"RPO {dumped['drill'][0]['recovery_point_seconds']} s, RTO {restored['recovery_time_seconds']} s",
    )
