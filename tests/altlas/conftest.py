"""A checkout of its own for each test, and the command to work in it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from altlas.cli import main
from tests.support.documents import STACKS
from tests.support.scratch import copy_program


@dataclass(frozen=True)
class Done:
    """End and output of a command."""

    code: int
    out: str
    error: str


Altlas = Callable[..., Done]


@pytest.fixture(autouse=True)
def no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registries of stacks are not asked by tests: every image is there, for the platform of most nodes."""
    monkeypatch.setattr("altlas.preflight.registries.platforms", lambda *_: frozenset({"linux/amd64"}))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the project's stack files, which the command takes for its checkout."""
    root = tmp_path / "checkout"
    root.mkdir()
    copy_program(root, [f"Pulumi.{stack}.yaml" for stack in STACKS])
    monkeypatch.setenv("ALT_LAS_ROOT", str(root))
    return root


@pytest.fixture
def altlas(checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Altlas:  # noqa: ARG001  # it must be there
    """Run the command in this process, from its command line to its exit code."""

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["altlas", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    return run
