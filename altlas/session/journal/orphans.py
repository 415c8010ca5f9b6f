"""Processes that a killed command has left behind: CLI, language host, program, providers. Known by an own variable.

Owns the mark and the end of the marked. Only processes of this user and of one run are ever touched. Linux only:
elsewhere nothing is found, and the CLI's children end by themselves once nobody answers them.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cluster.waiting import wait_for

RUN_VARIABLE = "ALTLAS_RUN"
"""Name of the variable that all processes of one command inherit."""

_ENDED = frozenset({"Z", "X"})
_BEGAN = 19
"""Field 22 of proc(5)'s `stat`, counted from the one after the name."""

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
        began: Result of `began_of` for the process that is meant: another one may have its number by now.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    state, now = _state(pid), began_of(pid)
    return state not in _ENDED and (not began or not now or now == began)


def began_of(pid: int) -> str:
    """Boot of the machine, and moment since then at which a process began; empty where that is not known.

    No clock that can be set has a part in it.
    """
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{_fields(pid)[_BEGAN]}"
    return ""


def _state(pid: int) -> str:
    with suppress(OSError):
        return _fields(pid)[0]
    return ""


def _fields(pid: int) -> list[str]:
    """Fields of a process after its name, which may hold blanks and brackets."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()


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
