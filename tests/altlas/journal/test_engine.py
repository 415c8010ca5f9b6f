"""Commands that are journaled, told by the backend that the CLI is given."""

from pathlib import Path

import pytest

from altlas.session.engine import Engine
from altlas.session.journal.replay import StackState
from altlas.session.journal.state_files import StackFiles
from tests.altlas.journal.documents import resource, state

STAND_IN = """#!/bin/sh
echo "$PULUMI_BACKEND_URL" >> "$(dirname "$0")/backends"
"""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine whose CLI notes its backend, with a stack that has an object to delete."""
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o755)
    files = StackFiles(tmp_path, "alt-las", "alpha")
    files.write(files.content(StackState(state(resource("old", delete=True)))))
    variables = {"PULUMI_BACKEND_URL": f"file://{tmp_path}", "PATH": f"{program.parent}:/usr/bin:/bin"}
    return Engine(tmp_path, variables)


@pytest.mark.parametrize(
    ("arguments", "schemes"),
    [
        (("up", "--stack", "alpha"), ["http", "http"]),
        (("up", "--stack", "alpha", "--target", "urn"), ["http"]),
        (("up", "--stack", "alpha", "--plan", "file"), ["http"]),
        (("destroy", "--stack", "alpha"), ["http"]),
        (("destroy", "--stack", "alpha", "--remove"), ["file"]),
        (("preview", "--stack", "alpha"), ["file"]),
        (("up", "--stack", "beta"), ["file"]),
    ],
    ids=["up", "single objects", "sealed plan", "destroy", "removal of the stack", "preview", "no state yet"],
)
def test_commands_that_change_a_state_are_journaled(
    engine: Engine, arguments: tuple[str, ...], schemes: list[str]
) -> None:
    """Only a whole update runs once more, for what is left to delete."""
    assert engine.run(*arguments) == 0
    backends = (engine.root / "bin" / "backends").read_text().splitlines()
    assert [each.partition(":")[0] for each in backends] == schemes
    assert list(StackFiles(engine.root, "alt-las", "alpha").locks.glob("*")) == []
