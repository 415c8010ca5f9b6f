"""Processes that outlive the command which started them, and that are never mistaken for others."""

from __future__ import annotations

import hashlib
import os
import platform
import signal
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.state import ProcessRecord
from cluster.waiting import wait_for

POLL_SECONDS = 0.02
BYTES_PER_MIB = 1024 * 1024
KIB_PER_MIB = 1024
SHORT_SECONDS = 5
ZOMBIE = "Z"

# Kept so that a child which ends while this command still runs is reaped and does not linger as a zombie.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class ProcessSpecification:
    """Specification of a process.

    Attributes:
        name: the program's name, also that of its log file.
        command: program and arguments.
        log: file that receives standard output and standard error.
        inputs: files the program reads once, at its start.
        needs: names of processes whose restart makes a restart of this one necessary.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    inputs: tuple[Path, ...] = ()
    needs: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """Return a digest that changes when the process would behave differently after a restart."""
        digest = hashlib.sha256(repr(self.command).encode())
        for path in self.inputs:
            digest.update(path.read_bytes())
        return digest.hexdigest()


def start_process(specification: ProcessSpecification) -> ProcessRecord:
    """Start a process in its own session, with a fresh log file; the log of the previous run is kept once.

    Raises:
        OSError: if the program cannot be run.
    """
    log = specification.log
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            specification.command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=log.parent,
            env=_environment(log.parent),
        )
    finally:
        os.close(descriptor)
    _children[process.pid] = process
    return ProcessRecord(process.pid, start_time(process.pid) or "ended at once", specification.fingerprint())


def start_time(pid: int) -> str | None:
    """Return a text that is unique to this run of this process identifier, or None if there is no such process."""
    if platform.system() == "Linux":
        fields = _linux_stat(pid)
        return _linux_start(fields) if fields and fields[0] != ZOMBIE else None
    return _ask_ps(pid, "lstart")


def is_running(record: ProcessRecord) -> bool:
    """Tell whether exactly the recorded process, not a later one with the same identifier, is running."""
    child = _children.get(record.pid)
    if child is not None and child.poll() is not None:
        del _children[record.pid]
    return start_time(record.pid) == record.started


def is_gone(record: ProcessRecord) -> bool:
    """Tell whether nothing is left of the recorded process, so that its files and ports are free."""
    if is_running(record):
        return False
    fields = _linux_stat(record.pid) if platform.system() == "Linux" else None
    # The first thread of a killed process can be dead while others still hold its ports.
    return fields is None or _linux_start(fields) != record.started or int(fields[17]) <= 1


def wait_until_gone(records: Sequence[ProcessRecord], seconds: float) -> list[ProcessRecord]:
    """Wait for recorded processes to be gone and return those that are still there in the end."""

    def remaining() -> list[ProcessRecord]:
        return [record for record in records if not is_gone(record)]

    return wait_for(remaining, lambda left: not left, seconds=seconds, poll_seconds=POLL_SECONDS)


def memory_mib(pid: int) -> float | None:
    """Return the resident memory of a process in MiB, or None if there is no such process."""
    if platform.system() == "Linux":
        fields = _linux_stat(pid)
        return int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / BYTES_PER_MIB if fields else None
    resident = _ask_ps(pid, "rss")
    return int(resident) / KIB_PER_MIB if resident else None


def stop_processes(records: Iterable[ProcessRecord], grace_seconds: float) -> list[ProcessRecord]:
    """End the recorded processes and wait until they are gone.

    Args:
        records: only these exact processes receive signals.
        grace_seconds: time between the polite signal and the one that cannot be ignored.

    Returns:
        Those that had to be killed.
    """
    ending = list(records)
    _signal(ending, signal.SIGTERM)
    killed = _signal(wait_until_gone(ending, grace_seconds), signal.SIGKILL)
    wait_until_gone(ending, SHORT_SECONDS)
    return killed


def last_lines(log: Path, count: int = 8, longest: int = 400) -> str:
    """Return the end of a log file, each line cut to a readable length."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(f"  {line[:longest]}" for line in lines) or "  (the log is empty)"


def _environment(home: Path) -> dict[str, str]:
    # Nothing of the user's own: variables such as ETCD_* would change what runs, a kwok configuration in the
    # home directory would too, and secrets do not belong into processes that stay.
    return {"PATH": os.defpath, "HOME": str(home)}


def _signal(records: Sequence[ProcessRecord], number: signal.Signals) -> list[ProcessRecord]:
    sent = []
    for record in filter(is_running, records):
        try:
            os.kill(record.pid, number)
        except ProcessLookupError:
            continue
        sent.append(record)
    return sent


def _linux_stat(pid: int) -> list[str] | None:
    try:
        content = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets, which may itself hold blanks and brackets.
    return content.rpartition(")")[2].split()


def _linux_start(fields: list[str]) -> str:
    # Ticks since the machine was started; a restart of the machine counts from zero, hence its identifier.
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{fields[19]}"


def _ask_ps(pid: int, column: str) -> str | None:
    command = ["ps", "-o", f"state=,{column}=", "-p", str(pid)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    state, _, value = result.stdout.strip().partition(" ")
    return value.strip() if value and not state.startswith(ZOMBIE) else None
