"""Connections of users, each of which `tests.data.traffic.Traffic` makes again where it fails.

To the services through the gateway; to the stores from a pod's network, with a service's own credentials.
"""

import ctypes
import http.client
import os
import select
import ssl
import subprocess
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path

import redis

from tests.node.platform.project import HOST

STORES = ("PostgreSQL", "Redis", "NATS")
PATHS = {
    "api-gateway": "/api/health",
    "runner-service": "/api/runner-service/api/v1/health",
    **{name: f"/api/{name}/health" for name in ("segmentation-service", "archive-service", "ai-orchestrator")},
}
"""Path of each service's health behind the gateway."""

_SECONDS = 2.0
"""Time after which a store counts as silent."""

REST_SECONDS = 0.1
"""Between two writes of one user: sixteen of them share two processors with the platform."""

_NEW_NETWORK = 0x40000000
PSQL = ("/usr/lib/postgresql/18/bin/psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align")


def join_network(process: int) -> None:
    """Let the calling thread, and nothing else, use the network of a pod."""
    with Path(f"/proc/{process}/ns/net").open("rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class PostgresSession:
    """The user of archive-service with psql, in the client's pod."""

    def __init__(self, process: int, url: str) -> None:
        command = ("nsenter", f"--target={process}", "--mount", "--net", "--", *PSQL, url)
        self._psql = subprocess.Popen(
            command,
            env=os.environ | {"PGCONNECT_TIMEOUT": "2"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.ask("create table if not exists numbers (n int primary key); select 'ready'")

    def ask(self, query: str) -> str:
        """First line of the answer."""
        assert self._psql.stdin
        assert self._psql.stdout
        self._psql.stdin.write(f"{query};\n".encode())
        self._psql.stdin.flush()
        ready, _, _ = select.select([self._psql.stdout], [], [], 2 * _SECONDS)
        line = self._psql.stdout.readline().decode().strip() if ready else ""
        if not line:
            raise ConnectionError("PostgreSQL does not answer")
        return line

    def write(self, number: int) -> None:
        """Insert a row."""
        assert self.ask(f"insert into numbers values ({number}) returning n") == str(number)  # noqa: S608  # a number

    def read(self, number: int) -> bool:
        """Look for a row."""
        return self.ask(f"select count(*) from numbers where n = {number}") == "1"  # noqa: S608  # a number

    def found(self) -> set[int]:
        """All rows."""
        return set(map(int, self.ask("select coalesce(string_agg(n::text, ' '), '') || ' 0' from numbers").split()))

    def close(self) -> None:
        """End psql, also one that hangs."""
        self._psql.kill()
        self._psql.communicate()


class RedisSession:
    """The user of api-gateway. With replicas, a write counts when one of them has it."""

    def __init__(self, process: int, url: str, replicas: Callable[[], int]) -> None:
        join_network(process)
        self._replicas = replicas
        self._redis = redis.Redis.from_url(
            url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, decode_responses=True
        )

    def write(self, number: int) -> None:
        """Set a key."""
        self._redis.set(f"api-gateway:number:{number}", number)
        if self._replicas() and self._redis.wait(1, 1000) < 1:
            raise ConnectionError("no replica has confirmed the write")

    def read(self, number: int) -> bool:
        """Look for a key."""
        return bool(self._redis.get(f"api-gateway:number:{number}") == str(number))

    def found(self, numbers: Iterable[int]) -> set[int]:
        """Numbers whose key is there."""
        values = self._redis.mget([f"api-gateway:number:{number}" for number in numbers])
        return {int(value) for value in values if value}

    def close(self) -> None:
        """End the connection."""
        self._redis.close()


class GatewaySession:
    """Requests to a service through Traefik and the gateway, both over one connection."""

    def __init__(self, node: str, path: str) -> None:
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE  # Traefik's own certificate
        self._path = path
        self._connection = http.client.HTTPSConnection(node, context=unchecked, timeout=_SECONDS)

    def write(self, number: int) -> None:
        """Ask for the service's health."""
        self._connection.request("GET", self._path, headers={"Host": HOST, "X-Number": str(number)})
        answer = self._connection.getresponse()
        answer.read()
        if answer.status != HTTPStatus.OK:
            raise ConnectionError(f"{self._path}: {answer.status}")

    def read(self, number: int) -> bool:
        """Ask again."""
        self.write(number)
        return True

    def close(self) -> None:
        """End the connection."""
        self._connection.close()
