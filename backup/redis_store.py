"""Redis as one of the stores: dumps by replication, and restores that change places with the live data at once.

Reached by REDIS_HOSTS (all servers, separated by spaces), REDIS_HOST (the address that services know), REDIS_PORT,
REDIS_PASSWORD (of the user `backup`) and REDIS_RESTORE_PASSWORD (of the user `restore`).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis

from backup import redis_copy, redis_server, sealing
from backup.errors import BackupError
from backup.redis_server import Content, RedisServer
from backup.repository import Backup, Repository, identifier_of
from backup.store import Restored, RestoreOptions, stopwatch
from backup.volume import scratch_folder

_DUMP_USER, _RESTORE_USER = "backup", "restore"


@dataclass(frozen=True)
class RedisStore:
    """The data of one Redis.

    Attributes:
        source: The servers for the user that may copy them.
        target: The same for the user that may restore.
    """

    source: RedisServer
    target: RedisServer

    @classmethod
    def from_environment(cls, found: Mapping[str, str] = os.environ) -> "RedisStore":
        """The servers that the variables name."""
        entry, port = found.get("REDIS_HOST", "localhost"), int(found.get("REDIS_PORT", "6379"))
        hosts = tuple(found.get("REDIS_HOSTS", entry).split())
        return cls(
            RedisServer(hosts, entry, port, _DUMP_USER, found.get("REDIS_PASSWORD", "")),
            RedisServer(hosts, entry, port, _RESTORE_USER, found.get("REDIS_RESTORE_PASSWORD", "")),
        )

    def dump(self, repository: Repository, key: bytes, parts: Sequence[str]) -> str:
        """Dump all databases as one moment saw them; a server of our own must load the dump before it counts."""
        if parts:
            raise BackupError("a dump of Redis holds all its databases; leave --only out")
        with repository.locked("dump"), scratch_folder("dump") as scratch:
            file, host, taken_at = scratch / redis_server.FILE, self.source.source(), repository.free_second()
            self.source.fetch(host, file)
            self.source.check_version(host)
            with redis_server.scratch_server(file) as client:
                found = redis_server.content(client)
            with repository.new(taken_at) as folder:
                entry = sealing.seal_file(file, folder / file.name, key, {"content": found})
                versions = {"server_version": redis_server.version(), "dumped_from": host}
                sealing.finish(folder, taken_at, key, [entry], versions)
        return identifier_of(taken_at)

    def restore(self, repository: Repository, backup: Backup, key: bytes, request: RestoreOptions) -> list[Restored]:
        """Copy databases into a server beside what is there, compare them, and only then change places with it."""
        host, result = request.into or self.target.entry, stopwatch(backup)
        with repository.locked("restore"), _loaded(backup, key) as (client, wanted):
            try:
                places = redis_copy.copy(
                    client,
                    self.target.client(host),
                    redis_copy.CopyTask(host, wanted["databases"], tuple(request.parts), request.replace),
                )
            except redis.RedisError as error:
                raise BackupError(f"Redis at {host}: {error}; what it held is untouched") from None
        return [
            result(name, f"{host}, database {name}", place.keys, f"database {place.aside}" if place.aside else None)
            for name, place in places.items()
        ]

    def drill(self, backup: Backup, key: bytes) -> list[Restored]:
        """Load a dump into a server that exists for the drill only, and compare it with the manifest."""
        result = stopwatch(backup)
        with _loaded(backup, key) as (_, wanted):
            done = [
                result(name, "a server of the drill", counts["keys"], None)
                for name, counts in wanted["databases"].items()
            ]
        return done or [result("0", "a server of the drill", 0, None)]


@contextmanager
def _loaded(backup: Backup, key: bytes) -> Iterator[tuple[Any, Content]]:
    sealing.check(backup, key)
    (entry,) = backup.manifest["files"]
    with scratch_folder("restore") as scratch:
        file = scratch / redis_server.FILE
        sealing.open_into(backup, entry["name"], key, file)
        with redis_server.scratch_server(file) as client:
            wanted, found = entry["content"], redis_server.content(client)
            if found != wanted:
                raise BackupError(f"the copy differs from the dump: {wanted} in the dump, {found} in the copy")
            yield client, wanted
