"""Faults of the API server and of the network before it: one update converges, nothing is doubled or lost."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.kubernetes.object import PROVIDER_VERSION
from tests.e2e.test_journal_kills import PROGRAM
from tests.faults.faulty_api_server import Dice, FaultyApiServer, faulty_api_server
from tests.support.figures import Figures
from tests.support.journaled import Project, make
from tests.support.own_cluster import NAMESPACE, OwnCluster, own_cluster

pytestmark = pytest.mark.e2e

OBJECTS = 40
RUNS = 40
SAMPLE = 2
RATES = (0.05, 0.2)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCluster]:
    """A simulated cluster with the namespace."""
    with own_cluster(tmp_path_factory.mktemp("cluster")) as made:
        made.run("create", "namespace", NAMESPACE)
        yield made


@pytest.fixture(scope="module")
def api_server(cluster: OwnCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyApiServer]:
    """The proxy before it."""
    with faulty_api_server(cluster, tmp_path_factory.mktemp("proxy")) as made:
        yield made


def _project(api_server: FaultyApiServer, folder: Path) -> Project:
    program = PROGRAM.replace("VERSION", PROVIDER_VERSION)
    return make(folder, program, KUBECONFIG=str(api_server.kubeconfig), PULUMI_PARALLEL="4")


def _wanted(chance: random.Random) -> dict[str, tuple[str, int]]:
    """Objects by logical name: object name, value. Half of them are replaced where their value changes."""
    values = {f"object-{number}": chance.randrange(3) for number in range(OBJECTS) if chance.random() < 0.9}
    return {
        name: (f"{name}-{value}" if number % 2 else name, value) for number, (name, value) in enumerate(values.items())
    }


def _objects(cluster: OwnCluster) -> dict[str, str]:
    listed = json.loads(cluster.run("get", "configmaps", "--selector=made-by=test", "--output=json"))
    return {one["metadata"]["name"]: one["data"]["value"] for one in listed["items"]}


def test_one_update_converges_whatever_the_api_server_answers(
    api_server: FaultyApiServer,
    cluster: OwnCluster,
    tmp_path: Path,
    whole: bool,
    record_property: Callable[[str, object], None],
) -> None:
    """Refusals, errors, latency, connections cut before and after the write: cluster and state are what is wanted."""
    project = _project(api_server, tmp_path)
    chance = random.Random(11)  # noqa: S311  # generates tests, no secrets
    runs, writes = RUNS if whole else SAMPLE, 0
    for run in range(runs):
        wanted = _wanted(chance)
        project.want(wanted)
        with api_server.faults(Dice(RATES[run % len(RATES)], seed=run)) as dice:
            code, output = project.journaled("up", "--yes", "--skip-preview")
        writes += sum(count for (kind, _), count in dice.injected.items() if kind == "write")
        assert code == 0, (run, dict(dice.injected), output)
        assert project.files.read().pending == []
        assert _objects(cluster) == {name: str(value) for name, value in wanted.values()}, run
    assert writes >= runs
    figures = Figures(record_property)
    figures.add("faults: updates that one command completed", f"{runs} of {runs}, with {writes} faults of writes")
    assert project.stock("preview", "--expect-no-changes") == 0
    with api_server.faults(Dice(RATES[-1], seed=runs)):
        assert project.journaled("destroy", "--yes", "--skip-preview")[0] == 0
    assert _objects(cluster) == {}


def test_the_stock_command_does_not_converge(api_server: FaultyApiServer, tmp_path: Path) -> None:
    """The control: the same faults end plain `pulumi up`, so they are real."""
    project = _project(api_server, tmp_path)
    project.want(_wanted(random.Random(11)))  # noqa: S311  # generates tests, no secrets
    with api_server.faults(Dice(RATES[-1])):
        assert project.stock("up", "--yes", "--skip-preview") != 0
    assert project.stock("destroy", "--yes", "--skip-preview") == 0
