"""Real NATS servers with the generated configuration: checked, permitted, killed, and changed from one to three."""

import asyncio
import functools
import os
import random
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import nats
import pytest
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

import tools
from components.stores.nats import configuration, objects
from tests.data.nats_servers import (
    PASSWORDS,
    NatsServers,
    check,
    connect,
    make_streams,
    nats_of,
    quiet,
    running,
    send,
    write_files,
)
from tests.support.figures import Figures
from tests.support.loopback import STACKS, fresh, platform_settings, wait_until
from tests.support.program import surroundings_without_engine

pytestmark = pytest.mark.data

ROUNDS = 20
DRAIN_SECONDS = 120
STREAM = "LAST_FILES"
SUBJECT = "last.files"


def healthy(host: str) -> bool:
    """True if a server says that it has everything that its streams have."""
    address = f"http://{host}:{configuration.MONITORING_PORT}/healthz"
    with urllib.request.urlopen(address, timeout=2) as answer:  # loopback
        return bool(answer.status == HTTPStatus.OK)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServers]:
    """The three servers of beta with their stream."""
    with running(tmp_path_factory.mktemp("cluster"), platform_settings("beta")) as servers:
        asyncio.run(make_streams(servers, "beta"))
        yield servers


@pytest.mark.parametrize("stack", STACKS)
def test_the_server_accepts_every_generated_configuration(stack: str, tmp_path: Path, figures: Figures) -> None:
    """`nats-server -t` reads the very text that the pods get, and refuses it once a word is wrong."""
    platform = platform_settings(stack)
    hosts = objects.servers(surroundings_without_engine(platform)).hosts(nats_of(platform).replicas)
    file = write_files(tmp_path, platform, hosts, 0)
    done = check(file)
    assert done.returncode == 0, done.stderr
    file.write_text(file.read_text().replace("sync_interval: always", "sync_interval: sometimes"))
    assert check(file).returncode != 0
    figures.add(f"nats-server -t on the configuration of {stack}", "accepted")


def test_no_acknowledged_message_is_lost_when_servers_are_killed(cluster: NatsServers, figures: Figures) -> None:
    """Twenty times any server is killed while messages are published; what was acknowledged is there in the end."""
    acknowledged, slowest = asyncio.run(publish_while_servers_die(cluster))
    found = asyncio.run(stored(cluster))
    lost = acknowledged - found
    assert len(acknowledged) > ROUNDS * 20
    assert lost == set()
    figures.add(
        "NATS, 3 servers, kill -9 of any",
        f"{ROUNDS} rounds, {len(acknowledged)} acknowledged, {len(lost)} lost, longest pause {slowest:.1f} s",
    )


async def publish_while_servers_die(cluster: NatsServers) -> tuple[set[str], float]:
    """Numbers of the messages whose receipt was acknowledged, and the longest time between two of them."""
    client = await connect(cluster, "runner-service")
    stream = client.jetstream(timeout=2)
    acknowledged: set[str] = set()
    done, slowest = asyncio.Event(), 0.0

    async def publish(prefix: int) -> None:
        nonlocal slowest
        number, last = 0, time.monotonic()
        while not done.is_set():
            name = f"{prefix}-{number}"
            try:
                # The identifier makes a repetition of what was stored without an answer one message.
                await stream.publish(SUBJECT, name.encode(), headers={"Nats-Msg-Id": name})
            except (NatsError, TimeoutError):
                await asyncio.sleep(0.02)
                continue
            acknowledged.add(name)
            slowest, last, number = max(slowest, time.monotonic() - last), time.monotonic(), number + 1

    publishers = [asyncio.create_task(publish(prefix)) for prefix in range(3)]
    for _ in range(ROUNDS):
        victim, host = random.choice(list(zip(cluster.processes, cluster.hosts, strict=True)))  # noqa: S311  # no secret
        before = len(acknowledged)
        victim.kill()
        await asyncio.sleep(0.5)
        victim.start()
        deadline = time.monotonic() + 60
        while len(acknowledged) < before + 30:
            assert time.monotonic() < deadline, "no message is acknowledged any more"
            await asyncio.sleep(0.05)
        # Two lost at a time are no promise, so the next one dies only when this one has caught up.
        await asyncio.to_thread(wait_until, functools.partial(healthy, host), f"{host} has caught up", 60)
    done.set()
    await asyncio.gather(*publishers)
    await client.close()
    return acknowledged, slowest


async def stored(cluster: NatsServers) -> set[str]:
    """Bodies of all messages of the stream, as its consumer reads them."""
    client = await connect(cluster, "archive-service")
    stream = client.jetstream(timeout=10)
    subscription = await stream.pull_subscribe(SUBJECT, durable="archive-service", stream=STREAM)
    found: set[str] = set()
    deadline = time.monotonic() + DRAIN_SECONDS
    while not await is_drained(stream):
        assert time.monotonic() < deadline, "the consumer does not come to the end of its stream"
        # A fetch that brings nothing in time is no end: a busy server is late.
        with suppress(NatsError, TimeoutError):
            for message in await subscription.fetch(500, timeout=2):
                found.add(message.data.decode())
                await message.ack()
    await client.close()
    return found


async def is_drained(stream: JetStreamContext) -> bool:
    """True if the consumer has read and acknowledged all that the stream has."""
    try:
        consumer = await stream.consumer_info(STREAM, "archive-service")
    except (NatsError, TimeoutError):
        return False
    return not consumer.num_pending and not consumer.num_ack_pending


ALLOWED = [
    ("runner-service", "publish", SUBJECT),
    ("archive-service", "subscribe", f"{SUBJECT} archive-service"),
    ("archive-service", "publish", f"$JS.API.CONSUMER.INFO.{STREAM}.archive-service"),
    ("streams", "publish", f"$JS.API.STREAM.UPDATE.{STREAM}"),
    ("backup", "publish", f"$JS.API.STREAM.SNAPSHOT.{STREAM}"),
]
DENIED = [
    ("runner-service", "subscribe", SUBJECT),
    ("runner-service", "publish", f"$JS.API.STREAM.DELETE.{STREAM}"),
    ("runner-service", "publish", "last.other"),
    ("archive-service", "publish", SUBJECT),
    ("archive-service", "subscribe", SUBJECT),
    ("archive-service", "subscribe", "$SYS.>"),
    ("archive-service", "publish", f"$JS.API.CONSUMER.DELETE.{STREAM}.other"),
    ("streams", "publish", f"$JS.API.STREAM.DELETE.{STREAM}"),
    ("streams", "publish", f"$JS.API.STREAM.PURGE.{STREAM}"),
    ("backup", "publish", SUBJECT),
]


@pytest.mark.parametrize(("user", "verb", "subject"), ALLOWED)
def test_a_user_may_do_what_its_service_declares(cluster: NatsServers, user: str, verb: str, subject: str) -> None:
    """The server raises no objection."""
    assert asyncio.run(objections(cluster, user, verb, subject)) == []


@pytest.mark.parametrize(("user", "verb", "subject"), DENIED)
def test_a_user_may_do_nothing_else(cluster: NatsServers, user: str, verb: str, subject: str) -> None:
    """The server names the violation."""
    (objection,) = asyncio.run(objections(cluster, user, verb, subject))
    assert "permissions violation" in objection.lower()


async def objections(cluster: NatsServers, user: str, verb: str, subject: str) -> list[str]:
    """Objections of the server to one attempt."""
    said: list[str] = []

    async def note(error: Exception) -> None:
        said.append(str(error))

    client = await nats.connect(cluster.url(user), error_cb=note, connect_timeout=20)
    # What was said before, such as by a server that was late, is no objection.
    said.clear()
    name, _, queue = subject.partition(" ")
    if verb == "subscribe":
        await client.subscribe(name, queue=queue)
    else:
        await client.publish(name, b"")
    await client.flush()
    await asyncio.sleep(0.1)
    await client.close()
    return said


@pytest.mark.parametrize("credentials", ["", "runner-service:wrong@", "nobody:nothing@"])
def test_nobody_gets_in_without_the_right_password(cluster: NatsServers, credentials: str) -> None:
    """There is no user without one."""

    async def try_it() -> None:
        await nats.connect(
            f"nats://{credentials}{cluster.hosts[0]}:{configuration.PORT}",
            allow_reconnect=False,
            error_cb=quiet,
            connect_timeout=20,
        )

    with pytest.raises(NatsError, match="Authorization Violation"):
        asyncio.run(try_it())


def apply_streams(servers: NatsServers, stack: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script of the Job as its pod would."""
    nats_command = tools.ensure(("nats",)).path("nats")
    passwords = fresh(folder / "passwords")
    for name, content in objects.streams_secret_content(PASSWORDS).items():
        (passwords / name).write_text(content)
    for name, content in objects.streams_content(nats_of(platform_settings(stack))).items():
        (folder / name).write_text(content)
    environment = {
        "PATH": f"{nats_command.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "CONFIGURATION": str(folder),
        "NATS_URL": ",".join(f"nats://{host}:{configuration.PORT}" for host in servers.hosts),
        "NATS_USER": configuration.STREAMS_USER,
        "PASSWORDS_DIR": str(passwords),
    }
    script = str(folder / "apply.sh")
    return subprocess.run(["sh", script], env=environment, capture_output=True, text=True, check=False, timeout=180)


def test_the_streams_are_made_once_and_follow_their_declaration(tmp_path: Path, figures: Figures) -> None:
    """The Job's script makes what is missing, changes what differs, leaves what is right, and keeps the messages."""
    with running(tmp_path, platform_settings("alpha")) as servers:
        first = apply_streams(servers, "alpha", tmp_path)
        assert (first.returncode, first.stdout) == (0, f"stream {STREAM} is as declared\n"), first.stderr
        assert asyncio.run(publish(servers, 10)) == 10
        again = apply_streams(servers, "alpha", tmp_path)
        assert again.returncode == 0, again.stderr
        made = asyncio.run(make_streams(servers, "alpha"))
        assert made.state.messages == 10
        assert made.config.max_bytes == 1024**3
    figures.add("NATS streams made by the Job's script with the nats command", "created, then unchanged, 10 of 10 kept")


async def publish(servers: NatsServers, count: int) -> int:
    """Publish messages and return how many were acknowledged."""
    client = await connect(servers, "runner-service")
    stream = client.jetstream(timeout=5)
    for number in range(count):
        await send(stream, SUBJECT, str(number).encode())
    await client.close()
    return count


def test_one_server_becomes_three_and_one_again_without_a_lost_message(tmp_path: Path, figures: Figures) -> None:
    """On the same volumes. The control run gives the cluster the single server's directory: it deletes the streams."""
    alpha, beta = platform_settings("alpha"), platform_settings("beta")
    with running(tmp_path, alpha) as servers:
        asyncio.run(make_streams(servers, "alpha"))
        asyncio.run(publish(servers, 100))
    with running(tmp_path, beta) as servers:
        assert asyncio.run(make_streams(servers, "beta")).state.messages == 0
        time.sleep(2)
    with running(tmp_path, alpha) as servers:
        kept = asyncio.run(make_streams(servers, "alpha")).state.messages
    assert kept == 100
    volume = tmp_path / "nats-0" / "data"
    shutil.rmtree(volume / "cluster")
    (volume / "single").rename(volume / "cluster")
    shutil.rmtree(tmp_path / "nats-1")
    shutil.rmtree(tmp_path / "nats-2")
    with running(tmp_path, beta) as servers:
        wait_until(lambda: "Detected orphaned stream" in servers.processes[0].log, "the control run loses them", 90)
    figures.add("NATS, 1 server -> 3 -> 1 on the same volumes", f"{kept} of 100 messages of the single server kept")
