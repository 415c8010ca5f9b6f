"""Real Redis servers, sentinels and a proxy with the program's own configuration and scripts."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.backoff import ConstantBackoff, NoBackoff
from redis.retry import Retry

from components.settings.redis import RedisSettings
from components.stores.redis import configuration, objects
from components.stores.redis.scripts import SCRIPTS
from tests.data.debian import haproxy, redis_image
from tests.support.loopback import Process, addresses, fresh, platform_settings, wait_until

INTERNAL = "internal-secret-of-43-characters___________"
CALLER_PASSWORDS = ("api-gateway-password-of-43-characters______", "second-password-of-43-characters___________")
PASSWORDS = {objects.CALLER: CALLER_PASSWORDS[0], **objects.internal_passwords(INTERNAL)}

ONCE = Retry(NoBackoff(), 0)
AGAIN_FOR_20_SECONDS = Retry(ConstantBackoff(0.1), 200)
SECONDS = 20
"""How long a client waits for an answer: what is written is flushed to a disk that others use, too."""


def redis_of(stack: str) -> RedisSettings:
    """The Redis of a stack."""
    settings = platform_settings(stack).redis
    assert settings is not None
    return settings


def connect(
    host: str, port: int, user: str | None, password: str | None, retry: Retry = ONCE, *, seconds: float = SECONDS
) -> Any:  # Any: redis-py types no command
    """A client that tries once, so that tests see every refusal, or as often as they say."""
    return redis.Redis(
        host=host,
        port=port,
        username=user,
        password=password,
        decode_responses=True,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        protocol=2,
        retry=retry,
        driver_info=None,
    )


def client(
    host: str, user: str = objects.CALLER, retry: Retry = ONCE, *, seconds: float = SECONDS
) -> Any:  # Any: see connect()
    """A client of a server, or of the proxy in front of several, as one of the program's users."""
    return connect(host, configuration.PORT, user, PASSWORDS[user], retry, seconds=seconds)


def patient_client(host: str) -> Any:  # Any: see connect()
    """A client as a service has it: it reconnects when the proxy has closed the connection to look for a primary."""
    return client(host, retry=AGAIN_FOR_20_SECONDS)


def sentinel(host: str) -> Any:  # Any: see connect()
    """A client of a sentinel."""
    return connect(host, configuration.SENTINEL_PORT, None, PASSWORDS["sentinel"])


@dataclass
class RedisServers:
    """Redis of one stack.

    Attributes:
        hosts: Address of each server and its sentinel.
        servers: The servers.
        sentinels: The sentinels; none for a single server.
        proxy: The proxy; None for a single server.
        entry: Address that services know.
    """

    hosts: tuple[str, ...]
    servers: tuple[Process, ...]
    sentinels: tuple[Process, ...]
    proxy: Process | None
    entry: str

    def processes(self) -> tuple[Process, ...]:
        """Everything that runs."""
        return (*self.servers, *self.sentinels, *([self.proxy] if self.proxy else []))

    def start(self) -> None:
        """Start everything and wait until writes are accepted."""
        for process in self.processes():
            process.start()
        wait_until(self.accepts, "the address accepts writes")

    def accepts(self) -> bool:
        """True if a write through the address that services know succeeds."""
        try:
            return bool(client(self.entry).set("is-it-there", 1))
        except redis.RedisError:
            return False

    def role(self, index: int) -> str:
        """Role of a server, empty where it does not answer."""
        try:
            return str(client(self.hosts[index], "health").info("replication")["role"])
        except redis.RedisError:
            return ""

    def primary(self) -> int:
        """Index of the server that is primary and has replicas."""
        for index in range(len(self.hosts)):
            if self.role(index) == "master":
                return index
        raise OSError("no server is primary")

    def named_by(self, index: int) -> str:
        """Host of the primary that a sentinel names."""
        found = sentinel(self.hosts[index]).execute_command("SENTINEL", "MASTERS")[0]
        return str(dict(zip(found[::2], found[1::2], strict=True))["ip"])

    def end(self, index: int) -> None:
        """End a pod as the kubelet does: preStop hook, then the signal; its sentinel stays until the server is gone."""
        hand_over(self.servers[index])
        self.servers[index].stop()
        self.sentinels[index].stop()

    def kill(self, index: int) -> None:
        """Take a whole pod away: the server and the sentinel beside it."""
        self.servers[index].kill()
        self.sentinels[index].kill()

    def stop(self) -> None:
        """Stop everything."""
        for process in self.processes():
            process.kill()


def hand_over(server: Process) -> None:
    """Run the preStop hook of a server."""
    script = str(server.folder / "etc/hand-over.sh")
    subprocess.run(["sh", script], env=dict(server.environment), check=True, timeout=40)


def scripts_environment(settings: RedisSettings, folder: Path, hosts: tuple[str, ...], index: int) -> dict[str, str]:
    """Environment that the pod of a server would have."""
    return {
        "PATH": redis_image(),
        "SELF": hosts[index],
        "LOCAL": hosts[index],
        "FIRST": hosts[0],
        "PEERS": " ".join(hosts) if settings.is_replicated else "",
        "QUORUM": str(settings.quorum),
        "DATA": str(folder / "data"),
        "CONFIGURATION": str(folder / "etc"),
        "PASSWORDS_DIR": str(folder / "passwords"),
        "USERS": str(folder / "etc/users.acl"),
        "FOLLOW_SECONDS": "0.2",
        "FIRST_SECONDS": "5",
    }


def write_files(folder: Path, settings: RedisSettings, host: str) -> configuration.RedisPlace:
    """Everything that the pod of a server would find mounted."""
    own = fresh(folder / "etc")
    (folder / "data").mkdir(exist_ok=True)
    place = configuration.RedisPlace(bind=host, data=str(folder / "data"), configuration=str(own), secrets=str(own))
    files = {
        "redis.conf": configuration.server_configuration(settings, place),
        "sentinel.conf": configuration.sentinel_configuration(place),
        "sentinel-primary.conf": configuration.sentinel_primary_configuration(settings),
        **objects.users_content(CALLER_PASSWORDS, INTERNAL),
        **SCRIPTS,
    }
    for name, content in files.items():
        (own / name).write_text(content)
    passwords = fresh(folder / "passwords")
    for name, content in objects.secret_content(INTERNAL).items():
        (passwords / name).write_text(content)
    return place


def pod(folder: Path, settings: RedisSettings, hosts: tuple[str, ...], index: int) -> tuple[Process, Process | None]:
    """A server and the sentinel beside it, not started; its folder is the volume and keeps what is there."""
    own = folder / f"redis-{index}"
    write_files(own, settings, hosts[index])
    environment = scripts_environment(settings, own, hosts, index)
    server = Process(["sh", str(own / "etc/start-server.sh")], own, "server", environment)
    if not settings.is_replicated:
        return server, None
    return server, Process(["sh", str(own / "etc/start-sentinel.sh")], own, "sentinel", environment)


def free_addresses(count: int) -> tuple[str, ...]:
    """Addresses on which servers, sentinels and proxies can listen."""
    return addresses(count, (configuration.PORT, configuration.SENTINEL_PORT, configuration.PROXY_HEALTH_PORT))


@contextmanager
def running(folder: Path, settings: RedisSettings) -> Iterator[RedisServers]:
    """Redis of a stack, each server with a folder that outlives it, which is its volume."""
    *found, entry = free_addresses(settings.replicas + 1)
    hosts = tuple(found)
    pods = [pod(folder, settings, hosts, index) for index in range(len(hosts))]
    servers = tuple(server for server, _ in pods)
    sentinels = tuple(beside for _, beside in pods if beside)
    proxy = proxy_of(folder, hosts, entry) if settings.is_replicated else None
    made = RedisServers(hosts, servers, sentinels, proxy, entry if proxy else hosts[0])
    try:
        made.start()
        yield made
    finally:
        made.stop()


def proxy_of(folder: Path, hosts: tuple[str, ...], entry: str) -> Process:
    """The proxy in front of several servers, not started."""
    found, variables = haproxy()
    file = folder / "haproxy.cfg"
    file.write_text(configuration.proxy_configuration(hosts, 1000, bind=entry, resolve=False))
    variables = {**variables, "REDIS_HEALTH_PASSWORD": PASSWORDS["health"]}
    return Process([found, "-W", "-db", "-f", str(file)], folder, "proxy", variables)


def complete(servers: RedisServers) -> None:
    """Wait until the primary has all its replicas, every sentinel knows them all, and the proxy lets writes through."""
    others = str(len(servers.hosts) - 1)

    def whole() -> bool:
        try:
            primary = servers.hosts[servers.primary()]
            info = client(primary, "health").info("replication")
            known = [sentinel(host).execute_command("SENTINEL", "MASTERS")[0] for host in servers.hosts]
        except redis.RedisError:
            return False
        views = [dict(zip(each[::2], each[1::2], strict=True)) for each in known]
        seen = {(view["ip"], view["flags"], view["num-slaves"], view["num-other-sentinels"]) for view in views}
        settled = str(info["min_slaves_good_slaves"]) == others and seen == {(primary, "master", others, others)}
        return settled and servers.accepts()

    wait_until(whole, "the servers and the sentinels are complete", 40)
