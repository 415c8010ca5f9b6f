"""kill -9 of each process of a journaled update of real objects: the next command recovers, nothing is left behind."""

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from altlas.session.journal.orphans import RUN_VARIABLE
from tests.faults.cases import Cases
from tests.support.figures import Figures
from tests.support.journaled import Project
from tests.support.journaled_objects import (
    Wanted,
    as_found,
    cluster_with_namespace,
    found_objects,
    objects_project,
    wanted_objects,
)
from tests.support.own_cluster import OwnCluster

pytestmark = pytest.mark.e2e

OBJECTS = 20
CHAIN = 4
"""Kills in a row: each next command recovers the one before, until it is killed as well or, at the end, completes."""

CHAINS, SAMPLE = 63, 1
COMMANDS = ("up", "up", "up", "refresh", "destroy")
LINES = {"up": OBJECTS, "refresh": OBJECTS // 2, "destroy": OBJECTS}
"""Lines of a journal that each command writes at least, most times."""

VICTIMS: Mapping[str, Callable[[str], bool]] = {
    "altlas with the journal's server": lambda command: "altlas.session.engine" in command,
    "the CLI": lambda command: command.split("\0")[0] == "pulumi",
    "the language host": lambda command: "pulumi-language-python" in command.split("\0")[0],
    "the provider": lambda command: "pulumi-resource-kubernetes" in command.split("\0")[0],
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCluster]:
    """A simulated cluster with the namespace."""
    with cluster_with_namespace(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="module")
def project(cluster: OwnCluster, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project on that cluster."""
    return objects_project(tmp_path_factory.mktemp("killed"), cluster.kubeconfig)


def _commands(run: str) -> Iterator[tuple[int, str]]:
    """Ids and command lines of the processes of a run."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"{RUN_VARIABLE}={run}".encode() in (entry / "environ").read_bytes():
                yield int(entry.name), (entry / "cmdline").read_bytes().decode()
        except OSError:
            continue


def _begun(project: Project, earlier: Container[str]) -> tuple[str, int]:
    """Mark of the run that holds the stack and lines of its journal; 0 before the run begins one.

    A run that was killed leaves lock and journal, which the next one takes over once it has its own lock.
    """
    try:
        (lock,) = project.files.locks.glob("*.json")
        run: str = json.loads(lock.read_bytes())["run"]
        return run, 0 if run in earlier else project.files.journal.read_bytes().count(b"\n")
    except (ValueError, OSError):
        return "", 0


def _kill(project: Project, process: "subprocess.Popen[str]", lines: int, victim: str, earlier: Container[str]) -> str:
    """End the victim at a line of the journal; return the mark of the run, empty if the command was quicker."""
    while process.poll() is None:
        run, begun = _begun(project, earlier)
        if begun >= lines:
            found = {process.pid: "altlas.session.engine", **dict(_commands(run))}
            for pid in [pid for pid, command in found.items() if VICTIMS[victim](command)]:
                with suppress(ProcessLookupError):  # it has ended by itself meanwhile
                    os.kill(pid, signal.SIGKILL)
                    return run
        time.sleep(0.002)
    return ""


def _killed_in_a_row(project: Project, chance: random.Random, victim: str) -> dict[str, str]:
    """Command of each run that was hit."""
    hit: dict[str, str] = {}
    for _ in range(2 * CHAIN):
        if len(hit) == CHAIN:
            break
        command = chance.choice(COMMANDS)
        project.want(wanted_objects(chance, OBJECTS))
        with project.begin(command, "--yes", "--skip-preview") as process:
            run = _kill(project, process, chance.randrange(1, LINES[command]), victim, hit)
            output, _ = process.communicate(timeout=180)
        assert "cannot be replayed" not in output, (victim, command, output)
        hit |= {run: command} if run else {}
    return hit


@pytest.mark.parametrize("victim", VICTIMS)
def test_the_next_command_recovers_from_every_kill(
    victim: str,
    project: Project,
    cluster: OwnCluster,
    *,
    all_faults: bool,
    cases_of: Callable[..., Cases],
    figures: Figures,
) -> None:
    """Creations, updates, replacements, deletions and reads are cut off; in the end cluster and state are as wanted.

    Where the next program wants something else than the one that was cut off, objects of that one may be left for
    one more update; then they stand in the state, to be deleted or to be read first.
    """
    cases = cases_of(
        f"kill -9 of {victim} in an update, refresh or destroy",
        "the next command recovers: cluster and state as wanted, nothing doubled or left, no process left",
        "sim",
    )
    hit: Counter[str] = Counter()
    for key in cases.left(map(str, range(CHAINS if all_faults else SAMPLE))):
        chance = random.Random(f"{victim} {key}")  # noqa: S311  # generates tests, no secrets
        runs = _killed_in_a_row(project, chance, victim)
        wanted = wanted_objects(chance, OBJECTS)
        _bring_up(project, wanted, victim)
        assert [process for run in runs for process in _commands(run)] == [], victim
        expected = as_found(wanted)
        known = _left_to_the_next_update(project) - expected.keys()
        left = {name: value for name, value in found_objects(cluster).items() if name not in known}
        assert left == expected, (victim, key, runs)
        assert not project.files.journal.exists()
        assert list(project.files.locks.glob("*")) == []
        cases.finish(key, held=len(runs), of=len(runs))
        hit.update(runs.values())
    figures.add(f"kills of {victim}", f"{cases.outcome}; {dict(hit)}")
    assert cases.outcome.cases >= SAMPLE * CHAIN // 2


def test_nothing_is_left_after_all_kills(project: Project, cluster: OwnCluster) -> None:
    """One more update, and then plain Pulumi finds nothing to do and the removal leaves nothing."""
    wanted = wanted_objects(random.Random(7), OBJECTS)  # noqa: S311  # generates tests, no secrets
    _bring_up(project, wanted, "nobody")
    assert found_objects(cluster) == as_found(wanted)
    assert project.stock("preview", "--expect-no-changes") == 0
    assert project.journaled("destroy", "--yes", "--skip-preview")[0] == 0
    assert found_objects(cluster) == {}


def _bring_up(project: Project, wanted: Wanted, victim: str) -> None:
    project.want(wanted)
    code, output = project.journaled("up", "--yes", "--skip-preview")
    assert code == 0, (victim, output)
    assert project.files.read().pending == [], (victim, output)


def _left_to_the_next_update(project: Project) -> set[str]:
    """Names of objects that the state lists for deletion, or that the next update reads first and then judges."""
    resources = project.files.read().resources
    return {one["id"].partition("/")[2] for one in resources if one.get("delete") or one.get("refreshBeforeUpdate")}
