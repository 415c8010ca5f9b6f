"""Faults of the API server and of the network before it: one update converges, nothing is doubled or lost."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.cases import Cases
from tests.faults.faulty_api_server import Dice, FaultyApiServer
from tests.support.figures import Figures
from tests.support.journaled_objects import (
    as_found,
    found_objects,
    objects_project,
    wanted_objects,
)
from tests.support.own_cluster import OwnCluster

pytestmark = pytest.mark.e2e

OBJECTS = 40
RUNS = 40
SAMPLE = 2
STOCK_RUNS = 5
FAULT = "API server fails for 5 or 20 % of the requests"
RATES = (0.05, 0.2)
SECONDS = 600
"""For one command: eight tries with a minute of pauses, and deletions whose event was missed."""


def test_one_update_converges_whatever_the_api_server_answers(
    api_server: FaultyApiServer,
    cluster: OwnCluster,
    tmp_path: Path,
    *,
    all_faults: bool,
    cases_of: Callable[..., Cases],
    figures: Figures,
) -> None:
    """Refusals, errors, latency, connections cut before and after the write: cluster and state are what is wanted."""
    project = objects_project(tmp_path, api_server.kubeconfig)
    cases = cases_of(FAULT, "one command completes, nothing doubled or lost", "sim")
    runs, writes = [int(key) for key in cases.left(map(str, range(RUNS if all_faults else SAMPLE)))], 0
    for run in runs:
        wanted = wanted_objects(random.Random(f"API server {run}"), OBJECTS)  # noqa: S311  # no secrets
        project.want(wanted)
        with api_server.faults(Dice(RATES[run % len(RATES)], seed=run)) as dice:
            code, output = project.journaled("up", "--yes", "--skip-preview", seconds=SECONDS)
        writes += sum(count for (kind, _), count in dice.injected.items() if kind == "write")
        assert code == 0, (run, dict(dice.injected), output)
        assert project.files.read().pending == []
        assert found_objects(cluster) == as_found(wanted), run
        cases.finish(str(run), held=True)
    assert writes >= len(runs)
    figures.add("faults: updates that one command completed", f"{cases.outcome}, with {writes} faults of writes")
    assert project.stock("preview", "--expect-no-changes") == 0
    with api_server.faults(Dice(RATES[-1], seed=RUNS)):
        code, output = project.journaled("destroy", "--yes", "--skip-preview", seconds=SECONDS)
    assert code == 0, output
    assert found_objects(cluster) == {}


def test_the_stock_command_does_not_converge(
    api_server: FaultyApiServer, tmp_path: Path, *, all_faults: bool, cases_of: Callable[..., Cases]
) -> None:
    """The baseline: the same faults end plain `pulumi up`, so they are real."""
    project = objects_project(tmp_path, api_server.kubeconfig)
    cases = cases_of(FAULT, "one command completes", "sim", "plain Pulumi")
    for key in cases.left(map(str, range(STOCK_RUNS if all_faults else 1))):
        project.want(wanted_objects(random.Random(f"API server {key}"), OBJECTS))  # noqa: S311  # no secrets
        with api_server.faults(Dice(RATES[-1], seed=int(key))):
            cases.finish(key, held=project.stock("up", "--yes", "--skip-preview") == 0)
    assert cases.outcome.held == 0
    assert project.stock("destroy", "--yes", "--skip-preview") == 0
