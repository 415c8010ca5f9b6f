"""Processes that outlive a command, and their identity."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.processes import (
    ProcessSpecification,
    is_running,
    last_lines,
    memory_mib,
    start_process,
    start_time,
    stop_processes,
)
from cluster.state import ProcessRecord

SLEEP = (sys.executable, "-c", "import time; print('awake', flush=True); time.sleep(60)")
# Prints only once the polite signal is really ignored.
DEAF = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
)

Start = Callable[..., ProcessRecord]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start processes that are ended after the test."""
    started: list[ProcessRecord] = []

    def run(command: tuple[str, ...] = SLEEP, output: str = "awake") -> ProcessRecord:
        log = tmp_path / f"{len(started)}.log"
        record = start_process(ProcessSpecification("sleeper", command, log))
        started.append(record)
        while output not in log.read_text():
            pass
        return record

    yield run
    stop_processes(started, 0)


def test_a_started_process_is_running_in_its_own_session(start: Start) -> None:
    """It outlives the terminal in which the command was given."""
    record = start()
    assert is_running(record)
    assert os.getsid(record.pid) == record.pid
    assert (memory_mib(record.pid) or 0) > 1


def test_a_stopped_process_is_gone_and_leaves_no_zombie(start: Start) -> None:
    """Nothing of it can be found."""
    record = start()
    assert stop_processes([record], 5) == []
    assert not is_running(record)
    assert start_time(record.pid) is None


def test_a_process_that_ignores_the_polite_signal_is_killed_and_named(start: Start) -> None:
    """A stop always ends."""
    record = start(DEAF, "deaf")
    assert stop_processes([record], 0.1) == [record]
    assert not is_running(record)


def test_a_recycled_process_identifier_is_never_taken_for_ours(start: Start) -> None:
    """After a restart of the machine, another process may have the recorded identifier: it is left alone."""
    foreign = start()
    ours = replace(foreign, started="earlier")
    assert not is_running(ours)
    assert stop_processes([ours], 1) == []
    assert is_running(foreign)


def test_a_process_sees_nothing_of_the_users_environment(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables such as ETCD_NAME would change what runs, and secrets would stay in memory."""
    monkeypatch.setenv("ETCD_NAME", "other")
    script = "import os, time; print('ETCD_NAME' in os.environ, flush=True); time.sleep(60)"
    start((sys.executable, "-c", script), "False")


def test_the_log_of_the_previous_run_is_kept_once(tmp_path: Path) -> None:
    """Logs do not grow for ever, and the reason of a crash is not lost by the restart."""
    log = tmp_path / "program.log"
    for text in ("one", "two", "three"):
        record = start_process(ProcessSpecification("printer", (sys.executable, "-c", f"print('{text}')"), log))
        while is_running(record):
            pass
    assert log.read_text() == "three\n"
    assert (tmp_path / "program.previous.log").read_text() == "two\n"


def test_the_last_lines_of_a_log_are_cut_to_a_readable_size(tmp_path: Path) -> None:
    """An error message stays readable even if a program prints a screenful."""
    log = tmp_path / "program.log"
    log.write_text("\n".join([*map(str, range(100)), "x" * 1000]))
    lines = last_lines(log, count=2, longest=10).splitlines()
    assert lines == ["  99", "  xxxxxxxxxx"]
    assert "no log" in last_lines(tmp_path / "missing.log")


def test_the_fingerprint_follows_command_and_input_files(tmp_path: Path) -> None:
    """A process is restarted if it would run differently, and only then."""
    settings = tmp_path / "settings"
    settings.write_text("one")
    specification = ProcessSpecification("program", ("run",), tmp_path / "log", (settings,))
    before = specification.fingerprint()
    assert specification.fingerprint() == before
    assert replace(specification, command=("run", "--fast")).fingerprint() != before
    settings.write_text("two")
    assert specification.fingerprint() != before
