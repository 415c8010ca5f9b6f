"""Talks to Redis servers: the live ones through what their users may do, and one of its own that loads a dump."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from backup.errors import BackupError

FILE = "dump.rdb"
_START_SECONDS = 300
_TIMEOUT_SECONDS = 60
_DEBUG_SINCE = 7
_DATABASE = re.compile(r"db(\d+)")

Content = Mapping[str, Any]
"""Keys of every database, how many of them expire, and Redis' own digest of all keys and values."""


@dataclass(frozen=True)
class RedisServer:
    """The servers of one Redis and the user to use on them.

    Attributes:
        hosts: Host names of all servers.
        entry: Address behind which the primary is.
        port: TCP port.
        user: User.
        password: Password of the user.
    """

    hosts: tuple[str, ...]
    entry: str
    port: int
    user: str
    password: str = field(repr=False)

    def client(self, host: str) -> Any:  # Any: redis-py types no command
        """A client of one server, which tries once."""
        return redis.Redis(
            host=host,
            port=self.port,
            username=self.user,
            password=self.password,
            socket_connect_timeout=10,
            socket_timeout=_TIMEOUT_SECONDS,
            **_PLAIN,
        )

    def source(self) -> str:
        """The server to dump: the only one, or a replica that is in touch with its primary.

        A dump makes the server copy itself, and the sentinels would take a client that copies it for a replica.

        Raises:
            BackupError: No server answers, or of several none is such a replica.
        """
        if len(self.hosts) == 1:
            return self.hosts[0]
        said = {host: self._state(host) for host in self.hosts}
        for host, state in said.items():
            if state == "replica":
                return host
        states = ", ".join(f"{host}: {state}" for host, state in said.items())
        raise BackupError(f"no replica of Redis is in touch with its primary, so none can be dumped: {states}")

    def _state(self, host: str) -> str:
        try:
            found = self.client(host).info("replication")
        except redis.RedisError as error:
            return str(error)
        if found["role"] == "slave":
            return "replica" if found["master_link_status"] == "up" else "replica without its primary"
        return "primary"

    def check_version(self, host: str) -> None:
        """Check that the redis-server beside this program can load a dump of a server.

        Raises:
            BackupError: The server is newer, or does not answer.
        """
        try:
            found = str(self.client(host).info("server")["redis_version"])
        except redis.RedisError as error:
            raise BackupError(f"Redis at {host}:{self.port}: {error}") from None
        if _release(found) > _release(own := version()):
            raise BackupError(
                f"the server {host} is Redis {found}, and Redis {own} of this image cannot load its dumps; use a "
                f"backup image with Redis {found}"
            )

    def fetch(self, host: str, path: Path) -> None:
        """Write what a server holds at this moment into a file, as a replica would get it.

        Raises:
            BackupError: The server cannot be reached or refuses; holds what the client said.
        """
        command = ["redis-cli", "-h", host, "-p", str(self.port), "--user", self.user, "--rdb", str(path)]
        environment = {**os.environ, "REDISCLI_AUTH": self.password}
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise BackupError("there is no redis-cli on PATH; use the backup image") from None
        if done.returncode or not path.is_file():
            raise BackupError(f"Redis at {host}:{self.port}: {' '.join((done.stderr or done.stdout).split())}")


_PLAIN: dict[str, Any] = {"protocol": 2, "retry": Retry(NoBackoff(), 0), "driver_info": None}
"""Options of a client that sends no command of its own, because its user may do nothing else."""


@contextmanager
def scratch_server(fill: Path) -> Iterator[Any]:  # Any: redis-py types no command
    """Run a server that holds a dump and that only this machine can reach, by a socket; nothing of it is kept.

    It follows nobody, but as a replica: so it keeps the keys whose time has come, and is the same at any later time.

    Args:
        fill: The dump.

    Yields:
        A client of the server.

    Raises:
        BackupError: It does not load the dump; holds what it said.
    """
    home = Path(tempfile.mkdtemp(prefix="drill-"))
    try:
        shutil.copyfile(fill, home / FILE)
        with subprocess.Popen(_command(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                client: Any = redis.Redis(unix_socket_path=str(home / "socket"), **_PLAIN)
                _wait(client, server, home / "log")
                yield client
                client.close()
            finally:
                server.kill()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _release(text: str) -> tuple[int, ...]:
    """Major and minor version: the format of dumps does not change within."""
    return tuple(int(part) for part in text.split(".")[:2])


def version() -> str:
    """Version of the redis-server that is installed beside this program.

    Raises:
        BackupError: There is none.
    """
    try:
        said = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        raise BackupError("there is no redis-server on PATH; use the backup image") from None
    found = re.search(r"v=(\d+\.\d+\.\d+)", said)
    return found[1] if found else "0"


def content(client: Any) -> Content:
    """Content of a temporary server; only it may be asked for its digest."""
    return {"databases": databases(client), "digest": client.execute_command("DEBUG", "DIGEST").decode()}


def databases(client: Any) -> dict[str, dict[str, int]]:
    """Keys by database, and how many of them expire."""
    found = client.info("keyspace")
    return {
        match[1]: {"keys": int(values["keys"]), "expires": int(values["expires"])}
        for name, values in sorted(found.items())
        if (match := _DATABASE.fullmatch(name))
    }


def _command(home: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(home / "socket"),
        "dir": str(home),
        "dbfilename": FILE,
        "logfile": str(home / "log"),
        "appendonly": "no",
        "save": "",
        "maxmemory-policy": "noeviction",
        **({"enable-debug-command": "local"} if int(version().partition(".")[0]) >= _DEBUG_SINCE else {}),
    }
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    return ["redis-server", *flags, "--replicaof", "127.0.0.1", "1"]


def _wait(client: Any, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if client.info("persistence")["loading"] == 0:
                return
        except redis.RedisError:
            pass
        if server.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-500:] if log.exists() else "nothing"
            raise BackupError(f"the server for the drill does not load the dump; it said: {' '.join(said.split())}")
        time.sleep(0.05)
