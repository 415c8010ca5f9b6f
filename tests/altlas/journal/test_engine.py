"""Commands that are journaled, told by the backend that the CLI is given."""

import os
import subprocess
from pathlib import Path

import pytest

from altlas.session.engine import Engine
from altlas.session.journal.replay import StackState
from altlas.session.journal.run import Command
from altlas.session.journal.state_files import StackFiles
from tests.altlas.journal.documents import resource, state

STAND_IN = """#!/bin/sh
echo "$PULUMI_BACKEND_URL" >> "$(dirname "$0")/backends"
[ -z "$PULUMI_CREDENTIALS_PATH" ] || ls "$PULUMI_CREDENTIALS_PATH/credentials.json" >> "$(dirname "$0")/logins"
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


def test_logins_of_killed_commands_are_removed_by_the_next_one(engine: Engine) -> None:
    """They lie in the private folder of the checkout; those of living commands stay."""
    logins = engine.root / ".altlas" / "logins"
    with subprocess.Popen(["true"]) as ended:
        pass
    dead, alive = logins / f"{ended.pid}-a", logins / f"{os.getppid()}-b"
    for folder in (dead, alive):
        folder.mkdir(parents=True)
        (folder / "credentials.json").touch()
    assert engine.run("destroy", "--stack", "alpha") == 0
    (used,) = map(Path, (engine.root / "bin" / "logins").read_text().split())
    assert used.parent.parent == logins
    assert used.parent.name.startswith(f"{os.getpid()}-")
    assert list(logins.iterdir()) == [alive]


@pytest.mark.parametrize(("options", "repeats"), [((), 1), (("--plan", "file"), 0)], ids=["update", "sealed plan"])
def test_a_sealed_plan_is_never_repeated(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], repeats: int
) -> None:
    """After a part of it was done, the rest is another plan."""
    asked: list[Command] = []

    def repeated(command: Command) -> int:
        asked.append(command)
        return 0

    monkeypatch.setattr(Command, "repeated", repeated)
    assert engine.run("up", "--stack", "alpha", *options) == 0
    assert len(asked) == repeats
