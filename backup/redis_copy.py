"""Copies databases from a scratch Redis into a live one: into free databases first, then all change places at once.

The data of the live databases is kept in the databases that they change places with, not deleted.
"""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import redis

from backup import redis_server
from backup.errors import BackupError

_DATABASES = 16
_BATCH = 500

Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class CopyTask:
    """Databases to copy, and their targets.

    Attributes:
        host: Name of the target, for messages.
        counts: Keys of each database in the dump.
        parts: Databases to copy; all when empty.
        replace: Whether databases that hold something may be renumbered and kept.
    """

    host: str
    counts: Counts
    parts: tuple[str, ...]
    replace: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Databases to copy.

        Raises:
            BackupError: The dump does not hold one of them.
        """
        unknown = sorted(set(self.parts) - set(self.counts))
        if unknown:
            held = ", ".join(self.counts) or "none"
            raise BackupError(f"the backup holds no database {', '.join(unknown)}; it holds: {held}")
        return self.parts or tuple(self.counts)


@dataclass(frozen=True)
class CopiedDatabase:
    """Target of a copied database.

    Attributes:
        keys: Keys that were copied; those whose time had come are not among them.
        aside: Database that holds what was there before; None where there was nothing.
    """

    keys: int
    aside: str | None


def copy(source: Any, target: Any, task: CopyTask) -> dict[str, CopiedDatabase]:  # Any: redis-py types no command
    """Copy databases and change places with what is there.

    Raises:
        BackupError: Something is there and must not be replaced, there is no room, or the copy is not complete. What
            the target held is untouched.
    """
    occupied = redis_server.databases(target)
    staging = _staging(task, occupied)
    _check_memory(source, target, task.host)
    try:
        for name, spare in staging.items():
            _copy_one(source, target, int(name), spare)
        copied = {name: _compared(task, name, redis_server.databases(target), spare) for name, spare in staging.items()}
    except BaseException:
        with suppress(redis.RedisError):
            for spare in staging.values():
                _select(target, spare).flushdb()
        raise
    swap = target.pipeline(transaction=True)
    for name, spare in staging.items():
        swap.swapdb(int(name), spare)
    swap.execute()
    return {
        name: CopiedDatabase(keys, str(staging[name]) if name in occupied else None) for name, keys in copied.items()
    }


def _compared(task: CopyTask, name: str, found: Counts, spare: int) -> int:
    wanted, copy_of_it = task.counts[name], found.get(str(spare), {"keys": 0, "expires": 0})
    lasting, copied = (counts["keys"] - counts["expires"] for counts in (wanted, copy_of_it))
    # Keys whose time has come since the dump are not copied.
    if copied != lasting or copy_of_it["expires"] > wanted["expires"]:
        raise BackupError(f"the copy of database {name} has {copied} of {lasting} lasting keys; it was dropped")
    return copy_of_it["keys"]


def _staging(task: CopyTask, occupied: Counts) -> dict[str, int]:
    taken = [f"{name} ({occupied[name]['keys']} keys)" for name in task.names if name in occupied]
    if taken and not task.replace:
        raise BackupError(
            f"Redis at {task.host} holds data in database {', '.join(taken)}; restore into an empty server with "
            "--into, or replace it with --replace"
        )
    free = [number for number in reversed(range(_DATABASES)) if str(number) not in {*occupied, *task.names}]
    if len(free) < len(task.names):
        raise BackupError(
            f"Redis at {task.host} has no {len(task.names)} free databases; empty those kept by an earlier restore"
        )
    return dict(zip(task.names, free, strict=False))


def _check_memory(source: Any, target: Any, host: str) -> None:
    needed, there = int(source.info("memory")["used_memory_dataset"]), target.info("memory")
    most, used = int(there["maxmemory"]), int(there["used_memory"])
    if most and used + needed > most:
        raise BackupError(
            f"Redis at {host} uses {used} of {most} bytes, and the copy needs {needed} beside them; restore into "
            "another server with --into, or raise maxMemory. Nothing was changed"
        )


def _copy_one(source: Any, target: Any, name: int, spare: int) -> None:
    reader, writer = _select(source, name), _select(target, spare)
    for batch in _batches(reader.scan_iter(count=_BATCH)):
        read = reader.pipeline(transaction=False)
        for key in batch:
            read.dump(key)
            read.pttl(key)
        answers, now = read.execute(), int(time.time() * 1000)
        write = writer.pipeline(transaction=False)
        for key, payload, left in zip(batch, answers[::2], answers[1::2], strict=True):
            if payload is not None:
                write.restore(key, now + left if left > 0 else 0, payload, replace=True, absttl=True)
        write.execute()


def _batches(keys: Iterator[bytes]) -> Iterator[Sequence[bytes]]:
    while batch := list(itertools.islice(keys, _BATCH)):
        yield batch


def _select(client: Any, database: int) -> Any:
    """The same client for another database of the server."""
    options = {**client.connection_pool.connection_kwargs, "db": database}
    pool = redis.ConnectionPool(connection_class=client.connection_pool.connection_class, **options)
    return redis.Redis(connection_pool=pool)
