"""Locks on a stack that plain Pulumi and this program both respect: files below `.pulumi/locks`.

Whether the holder of a lock has ended is known of processes of this machine. Of a bucket's locks, which machines share,
those of this program are renewed while the command runs (`lease`); one that was not renewed for long counts as dead.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from getpass import getuser
from pathlib import Path
from socket import gethostname
from uuid import uuid4

from altlas.session.journal.bucket import BucketPath, StatePath
from altlas.session.journal.orphans import is_alive
from altlas.session.journal.state_files import StackFiles, as_json, write_whole
from cluster.processes import start_time
from rendering.errors import CommandError, ExitCode

LEASE_SECONDS = 120
"""How long a lock in a bucket holds after its last renewal, for other machines. `lease` says why."""


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
        machine: Which of the machines with that name; only in buckets.
        began: Moment of its process, which a later one of the same number does not have.
        lapsed: Whether its holder has not renewed it for so long that it counts as dead.
    """

    path: StatePath
    pid: int
    host: str
    user: str
    since: str
    run: str = ""
    machine: str = ""
    began: str = ""
    lapsed: bool = False

    @property
    def is_dead(self) -> bool:
        """True if its process ran on this machine and has ended, or if it was not renewed."""
        return self.lapsed or (self.is_here and not is_alive(self.pid, self.began))

    @property
    def is_here(self) -> bool:
        """True if its process is known to be one of this machine."""
        return self.machine == this_machine() if isinstance(self.path, BucketPath) else self.host == gethostname()

    @property
    def document(self) -> Mapping[str, object]:
        """Content of its file: what the CLI reads of its own locks, and what only this program writes."""
        said = {"pid": self.pid, "username": self.user, "hostname": self.host, "timestamp": self.since}
        own = {"run": self.run, "machine": self.machine, "began": self.began}
        return {**said, **{name: value for name, value in own.items() if value}}

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user} on {self.host}, since {self.since}"


@cache
def this_machine() -> str:
    """This machine since it was started, and the namespace in which its process ids count; empty where unknown."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    return ""


def locks_of(files: StackFiles, own: Lock | None = None) -> Iterator[Lock]:
    """Locks on a stack. An unreadable one counts as held by an unknown process.

    Args:
        files: The stack.
        own: A lock that need not be read.
    """
    paths: Iterable[StatePath] = files.locks.glob("*.json")
    for path in sorted(paths, key=str):
        if own is not None and path == own.path:
            yield own
            continue
        try:
            said = json.loads(path.read_bytes())
            lock = Lock(
                path,
                int(said["pid"]),
                said["hostname"],
                said["username"],
                said["timestamp"],
                said.get("run", ""),
                said.get("machine", ""),
                str(said.get("began", "")),
            )
            yield replace(lock, lapsed=_is_lapsed(files, lock))
        except (ValueError, KeyError, TypeError):
            yield Lock(path, 0, "an unknown machine", "an unknown user", "an unknown time")
        except FileNotFoundError:
            continue


def _is_lapsed(files: StackFiles, lock: Lock) -> bool:
    """True if another machine's lock in a bucket was not renewed; both times are those of the bucket's clock."""
    path, journal = lock.path, files.journal
    if not isinstance(path, BucketPath) or not isinstance(journal, BucketPath) or not lock.run:
        return False
    if lock.machine == this_machine():
        return False
    probe = journal.with_name(f"{files.stack}.{uuid4()}.clock")
    probe.write_bytes(b"")
    try:
        return probe.modified() - path.modified() > timedelta(seconds=LEASE_SECONDS)
    finally:
        probe.unlink()


def check_free(files: StackFiles, own: Lock | None = None) -> tuple[Lock, ...]:
    """Check that no living process but this one holds the stack; return its own lock and those of the dead.

    Raises:
        CommandError: One does; names it.
    """
    found = tuple(locks_of(files, own))
    alive = [lock for lock in found if lock != own and not lock.is_dead]
    if alive:
        raise CommandError(_held(files, alive), ExitCode.BUSY)
    return found


def take_lock(files: StackFiles) -> Lock:
    """Take a lock that plain Pulumi respects, and look for others afterwards, as the CLI does.

    In a folder one process at a time does so: of several that start at once, one gets the lock.

    Raises:
        CommandError: Another process holds the stack; the lock is given back.
        OSError: The lock cannot be written.
    """
    run = str(uuid4())
    machine = this_machine() if isinstance(files.locks, BucketPath) else ""
    lock = Lock(
        files.locks / f"{run}.json",
        os.getpid(),
        gethostname(),
        getuser(),
        datetime.now(UTC).isoformat(),
        run,
        machine,
        start_time(os.getpid()) or "",
    )
    with _one_at_a_time(files.locks):
        check_free(files)
        write_whole(lock.path, as_json(lock.document))
        try:
            check_free(files, lock)
        except CommandError:
            lock.path.unlink()
            raise
    return lock


@contextmanager
def _one_at_a_time(folder: StatePath) -> Iterator[None]:
    if not isinstance(folder, Path):
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems have no such locks; then two that start at once may both give way, as with Pulumi.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _held(files: StackFiles, locks: list[Lock]) -> str:
    holders = "; ".join(map(str, locks))
    if all(lock.is_here for lock in locks):
        cure = f"wait until it ends, or let it end in order with `kill -INT {locks[0].pid}`"
    elif all(lock.machine for lock in locks):
        cure = f"wait until it ends. If its machine was lost, the lock ends {LEASE_SECONDS} s after its last renewal"
    else:
        cancel = f'`eval "$(altlas env)"; pulumi cancel --yes --stack {files.stack}`'
        cure = f"wait until it ends. If it was killed, remove its lock with {cancel}"
    return f"the stack {files.stack} is being updated ({holders}); {cure}. Nothing was changed"
