"""A lock so that only one command at a time changes a simulated cluster."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.errors import ClusterError
from cluster.waiting import wait_for

POLL_SECONDS = 0.05


@contextmanager
def exclusive_lock(path: Path, timeout_seconds: float, report: Callable[[str], None]) -> Iterator[None]:
    """Hold an exclusive lock on a file; the operating system releases it if this process dies.

    Args:
        path: the lock file; it is created, and holds the process identifier of the last holder.
        timeout_seconds: how long to wait for another holder.
        report: told once when another command holds the lock.

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
    descriptor = _try_path(path)
    if descriptor is None:
        report(f"Waiting for another command (process {_holder(path)}) that is changing this cluster.")
        descriptor = wait_for(
            lambda: _try_path(path),
            lambda answer: answer is not None,
            seconds=timeout_seconds,
            poll_seconds=POLL_SECONDS,
        )
    if descriptor is None:
        message = (
            f"Another command (process {_holder(path)}) has been changing the cluster in {path.parent} "
            f"for more than {timeout_seconds:.0f} seconds. Wait for it or end it, then try again."
        )
        raise ClusterError(message)
    return descriptor


def _try_path(path: Path) -> int | None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if try_lock(descriptor, path):
        return descriptor
    os.close(descriptor)
    return None


def try_lock(descriptor: int, path: Path) -> bool:
    """Take the lock if it is free and if the open file is still the one at the path."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A deletion of the cluster removes the file: then no other command sees the lock held here.
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _holder(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip() or "unknown"
    except FileNotFoundError:
        return "unknown"
