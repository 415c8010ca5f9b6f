"""Journaled updates of the real engine give the states of the stock backend. No cluster: the resources are files."""

import random
from pathlib import Path

import pytest

from tests.support.journaled import make
from tests.support.journaled_files import PROGRAM, comparable, generated

pytestmark = pytest.mark.e2e


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", range(8))
def test_states_equal_those_of_the_stock_backend(seed: int, tmp_path: Path) -> None:
    """Create, update, replace, fail, refresh and destroy: after each command both states are the same."""
    chance = random.Random(seed)  # noqa: S311  # generates tests, no secrets
    stock, ours = (make(tmp_path / name, PROGRAM, PULUMI_PARALLEL="1") for name in ("stock", "ours"))
    commands = [("up", "--yes", "--skip-preview")] * 3 + [("refresh", "--yes", "--skip-preview")]
    for command in [*commands, ("destroy", "--yes", "--skip-preview")]:
        wanted = generated(chance)
        for project in (stock, ours):
            project.want(wanted)
        code, output = ours.journaled(*command)
        assert bool(stock.stock(*command)) == bool(code), output
        assert comparable(ours) == comparable(stock), (command, output)
        assert ours.objects == stock.objects
        assert not ours.files.journal.exists()
