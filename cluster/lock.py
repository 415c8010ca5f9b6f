"""A lock so that only one command at a time changes a simulated cluster."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.errors import ClusterError

POLL_SECONDS = 0.05


@contextmanager
def exclusive_lock(path: Path, timeout_seconds: float, report: Callable[[str], None]) -> Iterator[None]:
    """Hold an exclusive lock on a file; the operating system releases it if this process dies.

    Args:
        path: the lock file; it is created, and holds the process identifier of the last holder.
        timeout_seconds: how long to wait for another holder.
        report: told once when there is somebody to wait for.

    Raises:
        ClusterError: if the other holder does not finish in time.
    """
    descriptor = _acquire(path, timeout_seconds, report)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(path: Path, timeout_seconds: float, report: Callable[[str], None]) -> int:
    deadline = time.monotonic() + timeout_seconds
    waiting = False
    while True:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if try_lock(descriptor, path):
            return descriptor
        os.close(descriptor)
        if time.monotonic() >= deadline:
            message = (
                f"Another command (process {_holder(path)}) has been changing the cluster in {path.parent} "
                f"for more than {timeout_seconds:.0f} seconds. Wait for it or end it, then try again."
            )
            raise ClusterError(message)
        if not waiting:
            report(f"Waiting for another command (process {_holder(path)}) that is changing this cluster.")
            waiting = True
        time.sleep(POLL_SECONDS)


def try_lock(descriptor: int, path: Path) -> bool:
    """Take the lock if it is free and if the open file is still the one at the path."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A deletion of the cluster removes the file: then the lock held here is one that nobody else sees.
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _holder(path: Path) -> str:
    try:
        return path.read_text().strip() or "unknown"
    except FileNotFoundError:
        return "unknown"
