"""Real NATS servers with the program's own configuration."""

import asyncio
import functools
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import StreamInfo
from nats.js.errors import NoStreamResponseError

from components.services import SERVICES, message_flows
from components.settings import PlatformSettings
from components.settings.nats import NatsSettings
from components.stores.nats import configuration, objects
from components.stores.nats.scripts import START_SERVER
from tests.support.loopback import Process, addresses, answers, fresh, platform_settings, program, wait_until

PASSWORDS = {
    "runner-service": "3e5-runner-password-of-43-random-characters",
    "runner-service-2": "second-runner-password-of-43-characters____",
    "archive-service": "archive-password-of-forty-three-characters_",
    "archive-service-2": "second-archive-password-of-43-characters___",
    **objects.internal_passwords("internal-secret-of-forty-three-characters__"),
}


def nats_of(platform: PlatformSettings) -> NatsSettings:
    """The NATS that both stacks run."""
    assert platform.nats is not None
    return platform.nats


@dataclass
class NatsServers:
    """The servers of a stack.

    Attributes:
        hosts: Address of each.
        processes: The server at each address.
    """

    hosts: tuple[str, ...]
    processes: tuple[Process, ...]

    def url(self, user: str) -> list[str]:
        """URL of all of them for a user."""
        return [f"nats://{user}:{PASSWORDS[user]}@{host}:{configuration.PORT}" for host in self.hosts]

    def start(self) -> None:
        """Start all of them."""
        for process in self.processes:
            process.start()
        for host in self.hosts:
            wait_until(functools.partial(answers, host, configuration.PORT), f"{host} listens")

    def stop(self) -> None:
        """Stop all of them."""
        for process in self.processes:
            process.stop()


def write_files(folder: Path, platform: PlatformSettings, hosts: tuple[str, ...], index: int) -> Path:
    """Everything that the pod of a server would find mounted."""
    nats, own = nats_of(platform), fresh(folder / "etc")
    place = configuration.NatsPlace(host=hosts[index], data=str(folder / "data"), run=str(folder))
    (own / "nats.conf").write_text(configuration.server_configuration(nats, place))
    flows = message_flows(SERVICES)
    (own / "accounts.conf").write_text(configuration.accounts_file(nats, flows, PASSWORDS))
    (own / "start.sh").write_text(START_SERVER)
    (own / "routes.conf").write_text(configuration.routes_file(hosts, PASSWORDS[configuration.CLUSTER_USER]))
    return own / "nats.conf"


def pod(folder: Path, platform: PlatformSettings, hosts: tuple[str, ...], index: int) -> Process:
    """A server, not started; its folder is the volume and keeps what is there."""
    own = folder / f"nats-{index}"
    file = write_files(own, platform, hosts, index)
    environment = {
        "PATH": f"{Path(program('nats-server')).parent}:/usr/bin:/bin",
        "SERVER_NAME": f"nats-{index}",
        "CONFIGURATION": str(file.parent),
        "RUN": str(own),
        "DATA": str(own / "data"),
        "FOLLOW_SECONDS": "0.2",
    }
    return Process(["sh", str(file.parent / "start.sh")], own, "server", environment)


def free_addresses(count: int) -> tuple[str, ...]:
    """Addresses on which servers can listen."""
    return addresses(count, (configuration.PORT, configuration.ROUTE_PORT, configuration.MONITORING_PORT))


@contextmanager
def running(folder: Path, platform: PlatformSettings) -> Iterator[NatsServers]:
    """The servers of a stack, each with a folder that outlives them, which is its volume."""
    hosts = free_addresses(nats_of(platform).replicas)
    processes = [pod(folder, platform, hosts, index) for index in range(len(hosts))]
    servers = NatsServers(hosts, tuple(processes))
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


def check(file: Path) -> subprocess.CompletedProcess[str]:
    """Let the server itself check a configuration."""
    return subprocess.run(
        [program("nats-server"), "-t", "--config", str(file)],
        env={**os.environ, "SERVER_NAME": "nats-0"},
        capture_output=True,
        text=True,
        check=False,
    )


async def quiet(_: Exception) -> None:
    """Servers come and go here; what matters is asserted."""


async def connect(servers: NatsServers, user: str) -> Client:
    """A client that stays connected to any of the servers."""
    return await nats.connect(
        servers.url(user), error_cb=quiet, max_reconnect_attempts=-1, reconnect_time_wait=0.05, connect_timeout=2
    )


async def send(stream: JetStreamContext, subject: str, body: bytes, headers: dict[str, str] | None = None) -> None:
    """Publish one message, again while no server answers for the stream.

    A server hears a moment late from another one that it leads a new stream.
    """
    deadline = time.monotonic() + 60
    while True:
        try:
            await stream.publish(subject, body, headers=headers)
        except NoStreamResponseError:
            assert time.monotonic() < deadline, f"no server answers for {subject}"
            await asyncio.sleep(0.1)
        else:
            return


async def make_streams(servers: NatsServers, stack: str) -> StreamInfo:
    """The streams of a stack, made by the user of the Job that makes them."""
    (stream,) = nats_of(platform_settings(stack)).streams
    client = await connect(servers, configuration.STREAMS_USER)
    deadline = time.monotonic() + 60
    request = nats.js.api.StreamConfig.from_response(configuration.stream_configuration(stream))
    while True:
        try:
            made = await client.jetstream(timeout=5).add_stream(config=request)
        except (NatsError, TimeoutError):
            assert time.monotonic() < deadline, "the servers elect no leader"
            await asyncio.sleep(0.3)
        else:
            await client.close()
            return made
