"""Processes that a killed command has left behind: CLI, language host, program, providers. Known by an own variable.

Owns the mark and the end of the marked. Only processes of this user and of one run are ever touched. Linux only:
elsewhere nothing is found, and the CLI's children end by themselves once nobody answers them.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from cluster.processes import start_time
from cluster.waiting import wait_for

RUN_VARIABLE = "ALTLAS_RUN"
"""Name of the variable that all processes of one command inherit."""

_GRACE_SECONDS = 5
_POLL_SECONDS = 0.05


def end_processes(run: str) -> tuple[int, ...]:
    """End what is left of a run, and return the ids of those processes.

    Args:
        run: Value of `RUN_VARIABLE`; empty for a run that had none.
    """
    if not run:
        return ()
    ended = tuple(_marked(run))
    for pid in ended:
        _send(pid, signal.SIGTERM)
    for pid in wait_for(
        lambda: tuple(_marked(run)), lambda left: not left, seconds=_GRACE_SECONDS, poll_seconds=_POLL_SECONDS
    ):
        _send(pid, signal.SIGKILL)
    return ended


def is_alive(pid: int, began: str = "") -> bool:
    """True if a process of this machine runs, also one of another user; one that only waits to be reaped does not.

    Args:
        pid: The process.
        began: When it began, by `cluster.processes.start_time`; another one may have its number by now.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return not began or start_time(pid) in (None, began)
    now = start_time(pid)
    return now is not None and (not began or now == began)


def _marked(run: str) -> Iterator[int]:
    mark = f"{RUN_VARIABLE}={run}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0") and int(entry.name) != os.getpid():
                yield int(entry.name)
        except OSError:
            # Of another user, or gone.
            continue


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
