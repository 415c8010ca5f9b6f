"""Locks on a stack that plain Pulumi and this program both respect: files below `.pulumi/locks`."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from socket import gethostname
from uuid import uuid4

from altlas.session.durable_file import write_durably
from altlas.session.journal.state_files import StackFiles, as_json
from rendering.errors import CommandError, ExitCode


@dataclass(frozen=True)
class Lock:
    """A lock on a stack, as the CLI writes it.

    Attributes:
        path: Its file.
        pid: Process that holds it.
        host: Machine of that process.
        user: Who runs it.
        since: When it was taken.
        run: Mark of its processes; the CLI's own locks have none.
    """

    path: Path
    pid: int
    host: str
    user: str
    since: str
    run: str = ""

    @property
    def is_dead(self) -> bool:
        """True if its process ran on this machine and has ended."""
        if self.host != gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user} on {self.host}, since {self.since}"


def locks_of(files: StackFiles) -> Iterator[Lock]:
    """Locks on a stack. An unreadable one counts as held by a process that nobody knows."""
    for path in sorted(files.locks.glob("*.json")):
        try:
            said = json.loads(path.read_bytes())
            yield Lock(
                path, int(said["pid"]), said["hostname"], said["username"], said["timestamp"], said.get("run", "")
            )
        except (ValueError, KeyError, TypeError):
            yield Lock(path, 0, "an unknown machine", "an unknown user", "an unknown time")
        except FileNotFoundError:
            continue


def check_free(files: StackFiles, own: Lock | None = None) -> None:
    """Check that no living process but this one holds the stack.

    Raises:
        CommandError: One does; names it.
    """
    alive = [lock for lock in locks_of(files) if lock != own and not lock.is_dead]
    if alive:
        raise CommandError(_held(files, alive), ExitCode.BUSY)


def take_lock(files: StackFiles) -> Lock:
    """Take a lock that plain Pulumi respects, and look for others afterwards, as the CLI does.

    Raises:
        CommandError: Another process holds the stack; the lock is given back.
    """
    files.locks.mkdir(parents=True, exist_ok=True)
    run = str(uuid4())
    path = files.locks / f"{run}.json"
    lock = Lock(path, os.getpid(), gethostname(), getuser(), datetime.now(UTC).isoformat(), run)
    said = {"pid": lock.pid, "username": lock.user, "hostname": lock.host, "timestamp": lock.since, "run": run}
    write_durably(lock.path, as_json(said))
    try:
        check_free(files, lock)
    except CommandError:
        lock.path.unlink()
        raise
    return lock


def _held(files: StackFiles, locks: list[Lock]) -> str:
    holders = "; ".join(map(str, locks))
    if all(lock.host == gethostname() for lock in locks):
        cure = f"wait until it ends, or let it end in order with `kill -INT {locks[0].pid}`"
    else:
        cancel = f'`eval "$(altlas env)"; pulumi cancel --yes --stack {files.stack}`'
        cure = f"wait until it ends. If it was killed, remove its lock with {cancel}"
    return f"the stack {files.stack} is being updated ({holders}); {cure}. Nothing was changed"
