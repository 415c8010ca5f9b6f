"""Talks to NATS servers through the `nats` command, and to one of its own that a backup is restored into."""

import asyncio
import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client
from nats.js.client import JetStreamContext

from backup.errors import BackupError

CONFIGURATION = "backup.json"
"""Configuration and state of a stream, beside its messages, as the `nats` command writes them."""

MESSAGES = "stream.tar.s2"

_NOBODY_LISTENS = "no responders"
_TRIES = 5
_PAUSE_SECONDS = 1
_START_SECONDS = 60
_DIGEST_BYTES = 8
_DIGEST_RANGE = 1 << (8 * _DIGEST_BYTES)
_FETCH_SECONDS = 30

Content = Mapping[str, Any]
"""Messages of a stream by count, sequence and checksum, and how far each of its lasting consumers is."""


@dataclass(frozen=True)
class NatsServer:
    """The servers of one NATS and the user to use on them.

    Attributes:
        url: Addresses of the servers, separated by commas.
        user: User; empty for a server that asks for none.
        password: Password of the user.
    """

    url: str
    user: str = ""
    password: str = field(default="", repr=False)

    def streams(self) -> tuple[str, ...]:
        """Names of all streams."""
        return tuple(json.loads(self.run("stream", "ls", "--names", "--json") or "[]") or ())

    def fetch(self, stream: str, folder: Path) -> None:
        """Write a stream with its consumers, as it is at this moment, into a folder."""
        self.run("stream", "backup", stream, str(folder), "--consumers", "--no-progress")

    def load(self, folder: Path, *options: str) -> None:
        """Make a stream again from such a folder.

        Repeated while servers of a cluster do not know yet where the one that takes the messages listens.
        """
        for left in reversed(range(_TRIES)):
            try:
                self.run("stream", "restore", str(folder), "--no-progress", *options)
                return
            except BackupError as error:
                if not left or _NOBODY_LISTENS not in str(error):
                    raise
            time.sleep(_PAUSE_SECONDS)
            if folder.name in self.streams():
                self.remove(folder.name)

    def state(self, stream: str) -> Mapping[str, Any]:
        """Configuration and state of a stream."""
        found: Mapping[str, Any] = json.loads(self.run("stream", "info", stream, "--json"))
        return found

    def remove(self, stream: str) -> None:
        """Delete a stream."""
        self.run("stream", "rm", stream, "--force")

    def run(self, *arguments: str) -> str:
        """Run the `nats` command and return what it prints.

        Raises:
            BackupError: It failed, or is not there; holds what it said.
        """
        own = {"NATS_URL": self.url, "NATS_TIMEOUT": "10s", "NATS_USER": self.user, "NATS_PASSWORD": self.password}
        with tempfile.TemporaryDirectory(prefix="nats-") as home:
            environment = {**os.environ, **{name: value for name, value in own.items() if value}}
            # A context of the person who runs this must not choose the server.
            environment |= {"HOME": home, "XDG_CONFIG_HOME": home}
            try:
                done = subprocess.run(
                    ["nats", *arguments], env=environment, capture_output=True, text=True, check=False
                )
            except FileNotFoundError:
                raise BackupError("there is no nats command on PATH; use the backup image") from None
        if done.returncode:
            raise BackupError(f"NATS at {self.url}: {_said(done.stderr or done.stdout)}")
        return done.stdout


@contextmanager
def scratch_server() -> Iterator[NatsServer]:
    """Run a server that only this machine can reach; nothing of it is kept.

    Raises:
        BackupError: It does not start; holds what it said.
    """
    home = Path(tempfile.mkdtemp(prefix="drill-"))
    port = _free_port()
    command = ["nats-server", "--addr", "127.0.0.1", "--port", str(port), "--jetstream", "--store_dir", str(home)]
    try:
        with (home / "log").open("wb") as log, _started(command, log) as server:
            try:
                _wait(port, server, home / "log")
                yield NatsServer(f"nats://127.0.0.1:{port}")
            finally:
                server.kill()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def version() -> str:
    """Version of the nats-server that is installed beside this program."""
    done = subprocess.run(["nats-server", "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip().rpartition("v")[2]


def load_for_comparison(server: NatsServer, folder: Path) -> None:
    """Restore a stream into a scratch server, which has one server only and must not let messages grow too old."""
    backup = json.loads((folder / CONFIGURATION).read_text(encoding="utf-8"))
    elsewhere = {"placement", "mirror", "sources", "republish"}
    kept = {name: value for name, value in backup["config"].items() if name not in elsewhere}
    with tempfile.TemporaryDirectory(prefix="compare-") as found:
        copy = Path(found)
        # The command's own option for another configuration is without effect (natscli 0.3.0).
        changed = {**backup, "config": kept | {"num_replicas": 1, "max_age": 0}}
        (copy / CONFIGURATION).write_text(json.dumps(changed), encoding="utf-8")
        (copy / MESSAGES).symlink_to(folder.absolute() / MESSAGES)
        server.load(copy)


def contents(server: NatsServer, streams: Sequence[str]) -> dict[str, Content]:
    """Content of the streams of a temporary server; only it lets all messages be read."""
    return asyncio.run(_contents(server, streams))


async def _contents(server: NatsServer, streams: Sequence[str]) -> dict[str, Content]:
    client: Client = await nats.connect(server.url, connect_timeout=10)
    try:
        stream = client.jetstream(timeout=_FETCH_SECONDS)
        return {name: await _content(stream, name) for name in streams}
    finally:
        await client.close()


async def _content(jetstream: JetStreamContext, name: str) -> Content:
    state = (await jetstream.stream_info(name)).state
    consumers = {
        each.name: {
            "delivered": each.delivered.stream_seq if each.delivered else 0,
            "acknowledged": each.ack_floor.stream_seq if each.ack_floor else 0,
        }
        for each in await jetstream.consumers_info(name)
        if each.config.durable_name
    }
    return {
        "messages": state.messages,
        "first_sequence": state.first_seq,
        "last_sequence": state.last_seq,
        "checksum": await _checksum(jetstream, name, state.messages),
        "consumers": consumers,
    }


async def _checksum(jetstream: JetStreamContext, name: str, count: int) -> str:
    """A sum over the digests of all messages, each with its place, time, subject and headers."""
    total = 0
    if count:
        messages = await jetstream.subscribe(">", stream=name, ordered_consumer=True)
        for _ in range(count):
            message = await messages.next_msg(timeout=_FETCH_SECONDS)
            found = message.metadata
            head = [found.sequence.stream, found.timestamp.isoformat(), message.subject, message.headers]
            digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode() + b"\0" + message.data)
            total += int.from_bytes(digest.digest()[:_DIGEST_BYTES], "big")
        await messages.unsubscribe()
    return f"{total % _DIGEST_RANGE:016x}"


def _started(command: Sequence[str], log: Any) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(command, stdout=log, stderr=log)
    except FileNotFoundError:
        raise BackupError("there is no nats-server on PATH; use the backup image") from None


def _wait(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise BackupError(f"the server for the drill does not start: {_said(log.read_text(errors='replace'))}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def _said(text: str) -> str:
    return " ".join(text.split())[-500:] or "the command said nothing"
