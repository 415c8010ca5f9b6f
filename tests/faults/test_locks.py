"""Locks of a state: one of a dead process stops nothing, one of a living process always holds, and one of many wins."""

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from altlas.session.journal.locks import check_free, locks_of, take_lock
from altlas.session.journal.orphans import is_alive
from altlas.session.journal.recovery import recover
from altlas.session.journal.replay import StackState
from altlas.session.journal.state_files import StackFiles, as_json
from cluster.processes import start_time
from rendering.errors import CommandError, ExitCode
from tests.altlas.journal.documents import resource, state
from tests.faults.cases import Cases
from tests.support.documents import ROOT
from tests.support.figures import Figures
from tests.support.journaled import Project, make
from tests.support.journaled_files import PROGRAM

AT_ONCE = 8
RACES, RACES_IN_SAMPLE = 1000, 25
LOCKS, LOCKS_IN_SAMPLE = 100, 5
UPDATES, UPDATES_IN_SAMPLE = 20, 1
LIMIT_SECONDS = 120
HOLD = "import sys; sys.stdin.read()"
UP = """
import json, sys
from pathlib import Path
from altlas.session.engine import Engine
from altlas.session.errors import as_command_error
engine = Engine(Path(sys.argv[1]), json.loads(sys.argv[2]), "journal-test")
print("ready", flush=True)
sys.stdin.readline()
try:
    sys.exit(engine.run("up", "--yes", "--skip-preview", "--stack", "alpha"))
except Exception as error:
    failure = as_command_error(error)
    if failure is None:
        raise
    print(f"error: {failure}")
    sys.exit(failure.code)
"""


@pytest.fixture
def files(tmp_path: Path) -> StackFiles:
    """Files of a stack with one resource."""
    made = StackFiles(tmp_path / "backend", "alt-las", "alpha")
    made.write(made.content(StackState(state(resource("old")))))
    return made


def _keys(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def _left_lock(files: StackFiles, pid: int, began: str) -> Path:
    """The lock that a process with this number would leave."""
    own = take_lock(files)
    path = files.locks / f"{pid}.json"
    path.write_bytes(as_json({**own.document, "pid": pid, "began": began, "run": ""}))
    own.path.unlink()
    assert isinstance(path, Path)
    return path


def test_a_lock_of_a_dead_process_stops_nothing(
    files: StackFiles, *, all_faults: bool, cases_of: Callable[..., Cases], figures: Figures
) -> None:
    """Ended, not yet reaped, or ended so long ago that another process has its number."""
    cases = cases_of("lock of a dead process", "broken without a person", "mock")
    for key in cases.left(_keys(LOCKS if all_faults else LOCKS_IN_SAMPLE)):
        process = subprocess.Popen(["true"])
        began = start_time(process.pid) or ""
        if int(key) % 3 == 0:
            process.wait()
        else:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        reused = int(key) % 3 == 2
        _left_lock(files, os.getppid() if reused else process.pid, f"{began}0" if reused else began)
        recover(files)
        cases.finish(key, held=not list(locks_of(files)))
        process.wait()
    figures.add("faults: lock of a dead process", str(cases.outcome))
    assert cases.broken == []


def test_a_lock_of_a_living_process_always_holds(
    files: StackFiles, *, all_faults: bool, cases_of: Callable[..., Cases], figures: Figures
) -> None:
    """The holder is named, its lock and the state stay; also of one whose beginning is not on record."""
    cases = cases_of("lock of a living process", "never broken, its holder named", "mock")
    for key in cases.left(_keys(LOCKS if all_faults else LOCKS_IN_SAMPLE)):
        with subprocess.Popen([sys.executable, "-S", "-c", HOLD], stdin=subprocess.PIPE) as process:
            path = _left_lock(files, process.pid, (start_time(process.pid) or "") if int(key) % 2 else "")
            before = files.state.read_bytes()
            held = False
            for attempt in (recover, check_free, take_lock):
                try:
                    attempt(files)
                except CommandError as error:
                    held = error.code == ExitCode.BUSY and f"process {process.pid} of" in str(error)
                else:
                    held = False
                    break
            cases.finish(key, held=held and path.exists() and files.state.read_bytes() == before)
            path.unlink(missing_ok=True)
    figures.add("faults: lock of a living process", str(cases.outcome))
    assert cases.broken == []


def test_the_number_of_a_process_is_not_enough() -> None:
    """The same number with another beginning is another process; without a beginning the number counts."""
    own = os.getpid()
    assert is_alive(own)
    assert is_alive(own, start_time(own) or "")
    assert not is_alive(own, f"{start_time(own)}1")


@dataclass(frozen=True)
class Racers:
    """Processes that take the same lock at the same moment, again and again.

    Attributes:
        files: The stack.
        start: Where all wait for each other.
        wins: How many got the lock, by race.
    """

    files: StackFiles
    start: Barrier
    wins: "multiprocessing.sharedctypes.SynchronizedArray[int]"

    def run(self) -> None:
        """Take part in all races."""
        for race in range(len(self.wins)):
            self.start.wait(LIMIT_SECONDS)
            try:
                lock = take_lock(self.files)
            except CommandError:
                lock = None
            else:
                with self.wins.get_lock():
                    self.wins[race] += 1
            self.start.wait(LIMIT_SECONDS)
            if lock is not None:
                lock.path.unlink()


def test_one_of_many_gets_the_lock(
    files: StackFiles, *, all_faults: bool, cases_of: Callable[..., Cases], figures: Figures
) -> None:
    """Never two, and never none, as it happens where each of two gives way to the other."""
    cases = cases_of("eight processes take one lock at once", "exactly one gets it", "mock")
    keys = list(cases.left(_keys(RACES if all_faults else RACES_IN_SAMPLE)))
    fork = multiprocessing.get_context("fork")
    racers = Racers(files, fork.Barrier(AT_ONCE), fork.Array("i", len(keys)))
    processes = [fork.Process(target=racers.run) for _ in range(AT_ONCE)]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join(LIMIT_SECONDS)
            assert process.exitcode == 0
    finally:
        for process in processes:
            process.kill()
    for key, winners in zip(keys, racers.wins[:], strict=True):
        cases.finish(key, held=winners == 1)
    figures.add("faults: eight processes take one lock at once", str(cases.outcome))
    assert cases.broken == []


@pytest.mark.e2e
def test_one_of_eight_updates_runs_and_the_others_say_who_holds_the_stack(
    tmp_path: Path, *, all_faults: bool, cases_of: Callable[..., Cases], figures: Figures
) -> None:
    """The winner completes, the others change nothing and end with the code for a busy stack; no lock is left."""
    cases = cases_of("eight updates of one stack at once", "one completes, the others name its process", "sim")
    project = make(tmp_path, PROGRAM, PULUMI_PARALLEL="4", PAUSE="0.3")
    for key in cases.left(_keys(UPDATES if all_faults else UPDATES_IN_SAMPLE)):
        wanted = {f"file-{number}": {"value": key, "identity": "x"} for number in range(6)}
        project.want(wanted)
        ended = _at_once(project)
        project_is_right = project.objects == {f"{name}-x": key for name in wanted}
        cases.finish(key, held=_one_won(ended) and project_is_right and not list(project.files.locks.glob("*")))
    figures.add("faults: eight updates of one stack at once", str(cases.outcome))
    assert cases.broken == []


def _at_once(project: Project) -> dict[int, tuple[int, str]]:
    """Exit codes and outputs of updates that begin at the same moment, by process."""
    command = [sys.executable, "-c", UP, str(project.root), json.dumps(dict(project.variables))]
    started: list[subprocess.Popen[str]] = []
    try:
        for _ in range(AT_ONCE):
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
            started.append(subprocess.Popen(command, cwd=ROOT, text=True, **pipes))  # type: ignore[call-overload]
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=LIMIT_SECONDS)[0] for process in started]
        return {process.pid: (process.returncode, output) for process, output in zip(started, outputs, strict=True)}
    finally:
        for process in started:
            process.kill()


def _one_won(ended: dict[int, tuple[int, str]]) -> bool:
    winners = [pid for pid, (code, _) in ended.items() if code == 0]
    if len(winners) != 1:
        return False
    losers = [(code, output) for pid, (code, output) in ended.items() if pid not in winners]
    return all(code == ExitCode.BUSY and f"process {winners[0]} of" in output for code, output in losers)
