"""Choice between a sample of each fault's cases and all of them, which are recorded for the page."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.cases import FOLDER, Cases, Fault, current_commit
from tests.faults.faulty_api_server import FaultyApiServer, faulty_api_server
from tests.support.journaled_objects import cluster_with_namespace
from tests.support.own_cluster import OwnCluster


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make test-faults`."""
    parser.addoption("--all-faults", action="store_true", help="all cases of each fault, recorded and resumed")


SECONDS_OF_A_FAULT = 900
"""Time in which a fault begins further cases of all. With it, `make test-faults` ends within 90 minutes on 2 cores."""


@pytest.fixture(scope="session")
def all_faults(request: pytest.FixtureRequest) -> bool:
    """True for all cases, False for a sample."""
    return bool(request.config.getoption("--all-faults", default=False))


@pytest.fixture
def cases_of(request: pytest.FixtureRequest, all_faults: bool, tmp_path: Path) -> Callable[..., Cases]:
    """Cases of a fault by its name, promise and target; those of a sample are recorded nowhere."""
    folder, commit = (FOLDER, current_commit()) if all_faults else (tmp_path / "cases", "")

    def cases(name: str, promise: str, target: str, subject: str = "altlas") -> Cases:
        # Without the parameters, so that the cases of one fault may be several tests.
        test = request.node.nodeid.partition("[")[0]
        return Cases(Fault(name, promise, target, test, subject), folder, commit, SECONDS_OF_A_FAULT)

    return cases


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCluster]:
    """A simulated cluster with the namespace."""
    with cluster_with_namespace(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="module")
def api_server(cluster: OwnCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyApiServer]:
    """A proxy before that cluster, which injects faults."""
    with faulty_api_server(cluster, tmp_path_factory.mktemp("proxy")) as made:
        yield made
