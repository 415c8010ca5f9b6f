"""kill -9 of each process of a journaled update of real objects: the next command recovers, nothing is left behind."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
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

OBJECTS = 30
POINTS = 60
SAMPLE = 8
VICTIMS: Mapping[str, Callable[[str], bool]] = {
    "altlas": lambda command: "altlas.session.engine" in command,
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


def _kill_when(project: Project, process: "subprocess.Popen[str]", lines: int, victim: str) -> str:
    """End the victim as soon as the journal has so many lines; return the mark of the run, empty if it was quicker."""
    while process.poll() is None:
        journal = project.files.journal
        if journal.exists() and journal.read_bytes().count(b"\n") >= lines:
            (lock,) = project.files.locks.glob("*.json")
            run: str = json.loads(lock.read_bytes())["run"]
            found = {process.pid: "altlas.session.engine", **dict(_commands(run))}
            pids = [pid for pid, command in found.items() if VICTIMS[victim](command)]
            assert pids, (victim, found)
            os.kill(pids[0], signal.SIGKILL)
            return run
        time.sleep(0.002)
    return ""


def test_the_next_command_recovers_from_every_kill(
    project: Project, cluster: OwnCluster, *, whole: bool, cases_of: Callable[..., Cases], figures: Figures
) -> None:
    """Creates, updates, replacements and deletions are cut off; afterwards cluster and state are what is wanted.

    Where the next program wants something else than the one that was cut off, objects of that one may be left for
    one more update; then they stand in the state, to be deleted or to be read first.
    """
    cases = cases_of("process killed in an update", "the next command recovers, nothing doubled or left", "sim")
    points = list(cases.left(map(str, range(POINTS if whole else SAMPLE))))
    hit, wanted = 0, wanted_objects(random.Random(7), OBJECTS)  # noqa: S311  # generates tests, no secrets
    for point in points:
        chance = random.Random(f"kill {point}")  # noqa: S311  # generates tests, no secrets
        victim = list(VICTIMS)[int(point) % len(VICTIMS)]
        wanted = wanted_objects(chance, OBJECTS)
        project.want(wanted)
        with project.begin("up", "--yes", "--skip-preview") as process:
            run = _kill_when(project, process, chance.randrange(2, 30), victim)
            process.communicate(timeout=180)
        hit += bool(run)
        wanted = wanted if chance.random() < 0.5 else wanted_objects(chance, OBJECTS)
        _bring_up(project, wanted, victim)
        assert not run or list(_commands(run)) == [], victim
        expected = as_found(wanted)
        known = _left_to_the_next_update(project) - expected.keys()
        left = {name: value for name, value in found_objects(cluster).items() if name not in known}
        assert left == expected, victim
        assert not project.files.journal.exists()
        assert list(project.files.locks.glob("*")) == []
        cases.finish(point, held=True)
    figures.add("kills of an update of 30 objects", f"{cases.outcome}; {hit} of {len(points)} hit a running update")
    assert hit >= len(points) * 2 // 3
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
