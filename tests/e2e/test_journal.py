"""Journaled updates of the real engine give the states of the stock backend. No cluster: the resources are files."""

import random
import resource
from pathlib import Path

import pytest

from tests.support.journaled import make
from tests.support.journaled_files import PROGRAM, comparable, generated
from tests.support.loopback import wait_until

pytestmark = pytest.mark.e2e


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", range(8))
def test_states_equal_those_of_the_stock_backend(seed: int, tmp_path: Path) -> None:
    """Create, update, replace, fail, refresh and destroy: after each command both states are the same."""
    chance = random.Random(seed)  # noqa: S311  # generates tests, no secrets
    # A user's token for Pulumi Cloud is not for this backend.
    of_a_user = {"PULUMI_PARALLEL": "1", "PULUMI_ACCESS_TOKEN": "of the user"}
    stock, ours = (make(tmp_path / name, PROGRAM, **of_a_user) for name in ("stock", "ours"))
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


def test_a_disk_that_fills_up_in_the_middle_of_an_update_loses_nothing(tmp_path: Path) -> None:
    """The engine stops, journal and lock stay; the next command, with room again, recovers and goes on.

    In place of a full disk no file of `altlas` may grow beyond what the journal has: the system refuses both alike.
    """
    project = make(tmp_path, PROGRAM, PULUMI_PARALLEL="1", PAUSE="0.2")
    wanted = {f"file-{number}": {"value": "a", "identity": "x"} for number in range(12)}
    project.want(wanted)
    journal = project.files.journal
    with project.begin("up", "--yes", "--skip-preview") as process:
        wait_until(lambda: len(project.objects) >= 3, "three objects are made", 60)
        limit = len(journal.read_bytes()) // 2
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "File too large" in output
    assert journal.exists()
    made = set(project.objects)
    assert 3 <= len(made) < 12
    project.want(wanted)
    code, output = project.journaled("up", "--yes", "--skip-preview")
    assert "recovered the state from the journal" in output
    known = {one["id"] for one in project.files.read().resources if one["type"].startswith("pulumi-python")}
    assert made <= known | {f"{each['resource']['urn'].rpartition('::')[2]}-x" for each in project.files.read().pending}
    assert code == 0, output
    assert not journal.exists()
