"""kill -9 of the API server and of etcd in the middle of an update: the same command completes once they are back."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tools
from cluster.control_plane import PROGRAMS
from cluster.processes import wait_until_gone
from cluster.simulator import Simulator
from cluster.state import load_state
from cluster.variant import API_SERVER, ETCD
from tests.faults.cases import Cases
from tests.support.figures import Figures
from tests.support.journaled import Project
from tests.support.journaled_objects import (
    as_found,
    cluster_with_namespace,
    found_objects,
    objects_project,
    wanted_objects,
)
from tests.support.own_cluster import OwnCluster

pytestmark = pytest.mark.e2e

OBJECTS = 60
SAMPLE, ALL = 2, 24
VICTIMS = ((API_SERVER,), (ETCD,), (API_SERVER, ETCD))
LIMIT_SECONDS = 240


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the cluster."""
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[OwnCluster]:
    """A simulated cluster with the namespace."""
    with cluster_with_namespace(folder) as made:
        yield made


def _kill(folder: Path, *names: str) -> None:
    processes = load_state(folder / "sim" / "state.json").processes
    records = [processes[name] for name in names]
    for record in records:
        os.kill(record.pid, signal.SIGKILL)
    assert wait_until_gone(records, LIMIT_SECONDS) == []


def _start_again(folder: Path) -> None:
    toolbox = tools.ensure(PROGRAMS)
    Simulator(folder / "sim", {name: Path(toolbox.path(name)) for name in PROGRAMS}, report=print).start()


def _update(project: Project, folder: Path, lines: int, victims: tuple[str, ...]) -> tuple[int, str, float, bool]:
    """Update while processes are killed; return exit code, output, seconds after they are back, and if it was hit."""
    with project.begin("up", "--yes", "--skip-preview") as process:
        journal, hit = project.files.journal, False
        while process.poll() is None and not hit:
            hit = journal.exists() and journal.read_bytes().count(b"\n") >= lines
            time.sleep(0.002)
        _kill(folder, *victims)
        _start_again(folder)
        back = time.monotonic()
        output, _ = process.communicate(timeout=LIMIT_SECONDS)
        return process.returncode, output, time.monotonic() - back, hit


def test_an_update_completes_once_the_control_plane_is_back(
    cluster: OwnCluster,
    folder: Path,
    tmp_path: Path,
    *,
    all_faults: bool,
    cases_of: Callable[..., Cases],
    figures: Figures,
) -> None:
    """One command; cluster and state are what is wanted, nothing is doubled or lost."""
    cases = cases_of("API server or etcd killed in an update", "the same command completes, nothing doubled", "sim")
    project = objects_project(tmp_path / "project", cluster.kubeconfig)
    seconds, hits, tried = [0.0], 0, 0
    for key in cases.left(map(str, range(ALL if all_faults else SAMPLE))):
        chance = random.Random(f"control plane {key}")  # noqa: S311  # generates tests, no secrets
        wanted = wanted_objects(chance, OBJECTS)
        project.want(wanted)
        victims = VICTIMS[int(key) % len(VICTIMS)]
        code, output, took, hit = _update(project, folder, chance.randrange(2, OBJECTS), victims)
        right = found_objects(cluster) == as_found(wanted)
        cases.finish(key, held=code == 0 and right and not project.files.read().pending)
        assert key not in cases.broken, (victims, code, right, output)
        seconds, hits, tried = [*seconds, took], hits + hit, tried + 1
    figures.add(
        "faults: API server or etcd killed in an update", f"{cases.outcome}; longest after it {max(seconds):.0f} s"
    )
    assert hits >= tried // 2
    assert project.stock("preview", "--expect-no-changes") == 0
