"""Real Redis, NATS and PostgreSQL with exactly what stands in the objects of an API server, on volumes that stay.

Owns what kubelet and operators do with these objects: mounted files, variables, roles, databases, streams. Does not own
the objects. Changed are only addresses and paths, because a process of this machine has no pod around it.
"""

import asyncio
import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import nats
import redis
from nats.errors import Error as NatsError
from nats.js.api import StreamConfig
from nats.js.errors import NotFoundError

from backup.errors import BackupError
from backup.postgres_server import PostgresServer
from tests.data import nats_servers, redis_servers
from tests.data.debian import redis_image
from tests.support.loopback import Process, answers, fresh, program, wait_until
from tests.support.postgres_servers import Postgres, own

KINDS = "statefulsets,configmaps,secrets,clusters.postgresql.cnpg.io,databases.postgresql.cnpg.io"
"""Objects that decide what the servers of the stores do."""

SUBJECT, STREAM, CONSUMER = "last.files", "LAST_FILES", "archive-service"
_TABLE = "CREATE TABLE IF NOT EXISTS mark (n serial, said text)"


class Applied:
    """Objects of a namespace."""

    def __init__(self, listed: Iterable[Mapping[str, Any]]) -> None:
        self._objects = {(each["kind"], each["metadata"]["name"]): each for each in listed}

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        """All objects of a kind."""
        return [each for (of, _), each in self._objects.items() if of == kind]

    def spec(self, kind: str, name: str) -> Mapping[str, Any]:
        """Specification of an object."""
        found: Mapping[str, Any] = self._objects[kind, name]["spec"]
        return found

    def config_map(self, start: str) -> dict[str, str]:
        """Content of the ConfigMap whose name begins like that and ends with a digest of its content."""
        return dict(self._objects[self._named("ConfigMap", start)]["data"])

    def secret(self, start: str) -> dict[str, str]:
        """Content of a Secret, whose name may end with what the engine has added."""
        data = self._objects[self._named("Secret", start)]["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def _named(self, kind: str, start: str) -> tuple[str, str]:
        """Name of the object that is called so, or else of the only one whose name begins so."""
        if (kind, start) in self._objects:
            return kind, start
        (found,) = (each for each in self._objects if each[0] == kind and each[1].startswith(f"{start}-"))
        return found

    def files(self, volume: Mapping[str, Any]) -> dict[str, str]:
        """Files of a volume of a pod; none for one that is empty."""
        if "configMap" in volume:
            return dict(self._objects["ConfigMap", volume["configMap"]["name"]]["data"])
        if "secret" in volume:
            return self.secret(volume["secret"].get("secretName") or volume["secret"]["name"])
        found: dict[str, str] = {}
        for source in volume.get("projected", {}).get("sources", ()):
            found |= self.files(source)
        return found

    def url(self, service: str, variable: str) -> SplitResult:
        """URL of a store with the user and the password that a service is given."""
        return urlsplit(self.secret(f"{service}-secrets")[variable])


def pod(applied: Applied, name: str, folder: Path, host: str, path: str) -> Process:
    """The only server of a StatefulSet, not started.

    Args:
        applied: The objects.
        name: Name of the StatefulSet.
        folder: Its volumes; what is in `data` stays.
        host: Loopback address that stands for the pod.
        path: PATH of its image.
    """
    workload = applied.spec("StatefulSet", name)
    assert workload["replicas"] == 1
    spec = workload["template"]["spec"]
    container = spec["containers"][0]
    places = {each["mountPath"]: folder / each["name"] for each in container["volumeMounts"]}
    paths = "|".join(map(re.escape, sorted(places, reverse=True)))

    def here(text: str) -> str:
        text = re.sub(rf"(?<![\w/])({paths})(?![\w-])", lambda found: str(places[found[0]]), text)
        text = re.sub(rf"(\$\(POD_NAME\)|{name}-0)\.{workload['serviceName']}[\w.-]+|127\.0\.0\.1", host, text)
        return text.replace("bind * -::*", f"bind {host}").replace("0.0.0.0:", f"{host}:")

    volumes = {each["name"]: applied.files(each) for each in spec["volumes"]}
    for place in places.values():
        if place.name not in volumes:
            place.mkdir(parents=True, exist_ok=True)
            continue
        fresh(place)
        for file, content in volumes[place.name].items():
            (place / file).write_text(here(content))
    variables = {each["name"]: here(each.get("value", f"{name}-0")) for each in container["env"]}
    return Process([here(each) for each in container["command"]], folder, "server", variables | {"PATH": path})


class Stores:
    """The three stores of a stack with one server each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (self.redis,), (self.nats,) = redis_servers.free_addresses(1), nats_servers.free_addresses(1)
        self.postgres = Postgres(folder / "postgres")

    @contextmanager
    def running(self, applied: Applied) -> Iterator["Services"]:
        """All servers with what the objects say, and services with the credentials that they are given."""
        path = f"{Path(program('nats-server')).parent}:/usr/bin:/bin"
        servers = (
            pod(applied, "redis", self.folder / "redis", self.redis, redis_image()),
            pod(applied, "nats", self.folder / "nats", self.nats, path),
        )
        try:
            for each in servers:
                each.start()
            self._start_postgres(applied)
            wait_until(lambda: answers(self.redis, 6379) and answers(self.nats, 4222), "Redis and NATS listen")
            asyncio.run(self._make_streams(applied))
            yield Services(self, applied)
        finally:
            self.postgres.stop()
            for each in servers:
                each.stop()

    def _start_postgres(self, applied: Applied) -> None:
        """Start the server, and make roles and databases as the operator does; on a new volume, or as they are now."""
        server, cluster = self.postgres, applied.spec("Cluster", "postgres-db")
        is_new = not server.data.exists()
        server.settings = cluster["postgresql"]["parameters"]
        if is_new:
            server.folder.mkdir()
            own(server.folder)
            server.initialize()
        server.set_rules(cluster["postgresql"]["pg_hba"])
        server.configure()
        server.start()
        for role in cluster["managed"]["roles"]:
            password = applied.secret(role["passwordSecret"]["name"])["password"]
            if is_new:
                server.create_role(role, password)
            else:
                server.admin.query("postgres", f"ALTER ROLE {role['name']} PASSWORD '{password}'")
        for database in (each["spec"] for each in applied.of("Database") if is_new):
            server.create_database(database["name"], database["owner"])

    async def _make_streams(self, applied: Applied) -> None:
        """Make or change the streams, as the Job does."""
        password = applied.secret("nats-streams-secrets")["NATS_PASSWORD"]
        client = await nats.connect(f"nats://streams:{password}@{self.nats}", error_cb=nats_servers.quiet)
        stream = client.jetstream()
        for content in applied.config_map("nats-streams-configuration").values():
            if not content.startswith("{"):
                continue
            wanted = StreamConfig.from_response(json.loads(content))
            try:
                await stream.stream_info(str(wanted.name))
            except NotFoundError:
                await stream.add_stream(wanted)
            else:
                await stream.update_stream(wanted)
        await client.close()


class Services:
    """Services that use running stores with the credentials in their own Secrets."""

    def __init__(self, stores: Stores, applied: Applied) -> None:
        self.redis = (stores.redis, applied.url("api-gateway", "REDIS_URL"))
        self.publisher = (stores.nats, applied.url("runner-service", "NATS_URL"))
        self.consumer = (stores.nats, applied.url("archive-service", "NATS_URL"))
        self.database = (stores.postgres.host, applied.url("archive-service", "DATABASE_URL"))

    def write(self, text: str) -> None:
        """Leave a mark in each store."""
        _gateway(*self.redis).rpush("marks", text)
        asyncio.run(_publish(*self.publisher, text))
        _archive(*self.database).query("archive", f"{_TABLE}; INSERT INTO mark (said) VALUES ('{text}')")  # noqa: S608

    def read(self) -> dict[str, list[str]]:
        """All marks, by store; messages are handed out once."""
        rows = _archive(*self.database).query("archive", "SELECT said FROM mark ORDER BY n")
        messages = asyncio.run(_messages(*self.consumer))
        return {"redis": _gateway(*self.redis).lrange("marks", 0, -1), "nats": messages, "postgres": rows.split()}

    def accepted(self, other: "Services") -> list[str]:
        """Stores that still let in other credentials of the same users."""
        found = []
        with suppress(redis.AuthenticationError):
            found += ["redis"] * _gateway(*other.redis).ping()
        with suppress(NatsError):
            asyncio.run(_visit(*other.publisher))
            found.append("nats")
        with suppress(BackupError):
            found += ["postgres"] * int(_archive(*other.database).query("archive", "SELECT 1"))
        return found


def _gateway(host: str, url: SplitResult) -> Any:  # Any: redis-py types no command
    return redis_servers.connect(host, url.port or 0, url.username, url.password)


def _archive(host: str, url: SplitResult) -> PostgresServer:
    assert url.path == "/archive"
    return PostgresServer(host, url.port or 0, url.username or "", url.password or "", home="archive")


async def _visit(host: str, url: SplitResult) -> None:
    await (await _connected(host, url)).close()


async def _publish(host: str, url: SplitResult, text: str) -> None:
    client = await _connected(host, url)
    await client.jetstream().publish(SUBJECT, text.encode())
    await client.close()


async def _messages(host: str, url: SplitResult) -> list[str]:
    client = await _connected(host, url)
    consumer = await client.jetstream().pull_subscribe(SUBJECT, durable=CONSUMER, stream=STREAM)
    found: list[str] = []
    with suppress(TimeoutError):
        while True:
            found += [message.data.decode() for message in await consumer.fetch(10, timeout=1)]
    await client.close()
    return found


async def _connected(host: str, url: SplitResult) -> Any:  # Any: the client's own type is as wide
    """A client that tries once."""
    address = f"nats://{url.username}:{url.password}@{host}:{url.port}"
    return await nats.connect(address, error_cb=nats_servers.quiet, allow_reconnect=False, connect_timeout=2)
