"""Common types of all stores' backups and restores: request and result."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from backup.repository import Backup, Repository


@dataclass(frozen=True)
class Restored:
    """Result of restoring one part of a backup.

    Attributes:
        backup: Id of the backup.
        part: What was restored: a database of PostgreSQL or of Redis, or a stream.
        into: Where it is now.
        items: Rows, keys or messages in it.
        recovery_point_seconds: Age of the data when the restore began: what would have been lost.
        recovery_time_seconds: Time from the beginning until the copy was complete and compared.
        aside: Where what it replaced is kept; None where it replaced nothing.
    """

    backup: str
    part: str
    into: str
    items: int
    recovery_point_seconds: float
    recovery_time_seconds: float
    aside: str | None = None


@dataclass(frozen=True)
class RestoreOptions:
    """Parts to restore, and their target.

    Attributes:
        parts: Databases or streams to restore; all that the backup holds when empty.
        into: Name that the copy gets (PostgreSQL), or host name of the server that gets it (Redis, NATS); None for
            the same name, or the server of the environment.
        replace: Whether what is there may be replaced.
    """

    parts: Sequence[str] = ()
    into: str | None = None
    replace: bool = False


class BackupStore(Protocol):
    """One store, reached as its environment variables say. All of it raises BackupError and leaves live data alone."""

    def dump(self, repository: Repository, key: bytes, parts: Sequence[str]) -> str:
        """Dump parts of the store, or all of it when none is named, and return the id of the backup."""
        ...

    def restore(self, repository: Repository, backup: Backup, key: bytes, request: RestoreOptions) -> list[Restored]:
        """Restore parts of a backup."""
        ...

    def drill(self, backup: Backup, key: bytes) -> list[Restored]:
        """Restore a whole backup into a server of its own, compare it with the manifest, and remove it."""
        ...


def stopwatch(backup: Backup) -> Callable[[str, str, int, str | None], Restored]:
    """Begin to measure a restore; the answer makes the result of a part that is complete and compared."""
    started, began_at = time.monotonic(), datetime.now(UTC)

    def result(part: str, into: str, items: int, aside: str | None = None) -> Restored:
        return Restored(
            backup=backup.id,
            part=part,
            into=into,
            items=items,
            recovery_point_seconds=round((began_at - backup.taken_at).total_seconds(), 3),
            recovery_time_seconds=round(time.monotonic() - started, 3),
            aside=aside,
        )

    return result
