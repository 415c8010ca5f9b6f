"""Gate: "no" at a prompt and Ctrl-C change nothing, for every command that asks; found by walking the commands."""

import ast
import copy
import functools
import importlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.core import TyperGroup

from altlas.addons.install import Addons
from altlas.cli import COMMANDS
from altlas.session import consent
from altlas.session.engine import Engine
from altlas.session.kubectl import Kubectl
from altlas.session.session import Session
from altlas.session.workspace import Workspace
from cluster import Target
from components.settings.secrets import SECRETS
from rendering.errors import CommandError
from rendering.recorder import record
from tests.addons.conftest import addons_of, manifest_of, memory
from tests.altlas.conftest import Altlas
from tests.support.data_documents import exported_state
from tests.support.documents import ROOT, platform_of

__all__ = ["addons_of", "memory"]

ASKING_OPTIONS = {"yes", "confirm"}
"""Parameters of a command that asks: they answer its question."""

COMMAND_LINES: dict[str, tuple[str, ...]] = {
    "up": ("up", "alpha", "--no-addons"),
    "drift": ("drift", "alpha", "--revert"),
    "destroy": ("destroy", "alpha", "--with-data", "alpha"),
    "secrets rotate": ("secrets", "rotate", "alpha", "natsRunnerPassword", "--no-addons"),
    "backup restore": ("backup", "restore", "redis", "alpha", "--backup", "20260131T010000Z", "--replace"),
    "addons install": ("addons", "install"),
    "addons remove": ("addons", "remove"),
}
"""A command line of each command that asks."""

WRITING = {"up", "destroy", "import", "set", "set-all", "rm", "init", "refresh", "cancel"}
"""Words of Pulumi's commands that change the stack file, the state or the cluster."""


@dataclass
class World:
    """A cluster, an engine and a checkout that note every change."""

    changes: list[str] = field(default_factory=list)
    state: Mapping[str, Any] = field(default_factory=dict)


class NotingKubectl(Kubectl):
    """A cluster that has every CRD and nothing else."""

    world: World  # set by `world`

    def named(self, kind: str, *names: str) -> list[dict[str, Any]]:
        """Cluster-scoped objects."""
        of_the_stack = kind == "namespace" or "--show-managed-fields" in names
        return [] if of_the_stack else [{"metadata": {"name": name}} for name in names]

    def items(self, *_: str) -> list[dict[str, Any]]:
        """None."""
        return []

    def find(self, *_: str) -> None:
        """None."""

    def text(self, *arguments: str, stdin: str | None = None) -> str:  # noqa: ARG002  # as in the class
        """Note what is no read."""
        if arguments[0] != "get":
            self.world.changes.append(" ".join(["kubectl", *arguments]))
        if arguments[0] == "create":
            raise CommandError("the test ends here")
        return ""


class NotingEngine(Engine):
    """A Pulumi that knows the stack, plans nothing and fails at updates."""

    world: World  # set by `world`

    def run(self, *arguments: str) -> int:
        """Run in the foreground."""
        return 1 if self._noted(arguments) else 0

    def capture(self, *arguments: str, text: str | None = None) -> str:  # noqa: ARG002  # as in the class
        """Run for its output."""
        self._noted(arguments)
        return json.dumps(self.world.state) if "export" in arguments else ""

    def preview(self, stack: str, *options: str) -> Mapping[str, Any]:  # noqa: ARG002  # as in the class
        """Nothing to do."""
        return {"steps": []}

    def stack_exists(self, stack: str) -> bool:  # noqa: ARG002  # as in the class
        """Every stack."""
        return True

    def _noted(self, arguments: tuple[str, ...]) -> bool:
        if writes := bool(WRITING & set(arguments[:2])):
            self.world.changes.append(" ".join(["pulumi", *arguments]))
        return writes


@functools.cache
def alpha_state() -> Mapping[str, Any]:
    """State of alpha as it is deployed."""
    registered = record("alpha", platform_of("alpha")).registrations
    state = exported_state({(each.type, each.name): each.inputs for each in registered})
    for each in state["deployment"]["resources"]:
        each["outputs"] = {**each["inputs"], "__fieldManager": "pulumi-kubernetes-of-a-test"}
    return state


@pytest.fixture
def world(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Alpha deployed with data, on a cluster of which nobody knows that nothing runs there."""
    world = World(state=alpha_state())
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of a test")
    monkeypatch.setattr(NotingKubectl, "world", world, raising=False)
    monkeypatch.setattr(NotingEngine, "world", world, raising=False)
    target = Target("kubeconfig", "a test names it")
    kubectl, engine = NotingKubectl(Path("kubectl"), Path("kubeconfig")), NotingEngine(checkout, {})
    session = Session(Workspace(checkout), target, kubectl, engine)
    for module in (
        "update.up",
        "update.rotation",
        *(f"commands.{name}" for name in ("destroy", "backup", "addons", "drift")),
    ):
        imported = importlib.import_module(f"altlas.{module}")
        for name in ("start_session", "engine_session"):
            monkeypatch.setattr(imported, name, lambda *_: session, raising=False)
        monkeypatch.setattr(imported, "choose_target", lambda *_: target)
    # A cluster without nodes cannot take the stack.
    monkeypatch.setattr("altlas.update.up.look_first", lambda *_: None)
    with_secrets(checkout / "Pulumi.alpha.yaml")
    monkeypatch.setattr(consent, "at_a_terminal", lambda: True)
    return world


@pytest.fixture
def _boats(addons_of: Callable[..., Addons], world: World, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One addon, which is installed or removed on a cluster with real nodes."""
    made = addons_of(target="kubeconfig")
    memory.changes = world.changes
    monkeypatch.setattr("altlas.commands.addons.Addons", lambda *_: made)


@pytest.fixture
def _installed(memory: Any) -> None:
    memory.record = {"boats": manifest_of().addons["boats"].version}
    memory.stacks.append("cluster-01234567")
    memory.definition(ours=True)


def with_secrets(stack_file: Path) -> None:
    """Write every generated secret into a stack file, encrypted as far as anybody looks."""
    document = yaml.safe_load(stack_file.read_text())
    document["encryptionsalt"] = "v1:salt"
    document["config"] |= {f"alt-las:{each.key}": {"secure": "v1:x"} for each in SECRETS if each.required}
    stack_file.write_text(yaml.safe_dump(document))


def commands_that_ask() -> set[str]:
    """Every command with an option that answers a question."""
    found = set()
    for name, entry in COMMANDS.items():
        command = entry.load(name)
        members = command.commands if isinstance(command, TyperGroup) else {"": command}
        for word, member in members.items():
            if ASKING_OPTIONS & {parameter.name for parameter in member.params}:
                found.add(f"{name} {word}".strip())
    return found


def files_of(root: Path) -> dict[str, bytes]:
    """Every file of a checkout but the lock of its commands."""
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file() and path.name != "lock"}


def answering(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[str]:
    """Answer every question so, and collect the questions; an exception is raised at the prompt."""
    asked: list[str] = []

    def prompt(question: str, **_: Any) -> Any:
        asked.append(question)
        if isinstance(answer, type):
            raise answer
        return answer

    monkeypatch.setattr(typer, "confirm", prompt)
    monkeypatch.setattr(typer, "prompt", prompt)
    return asked


def test_every_command_that_asks_is_tried_here() -> None:
    """A new command with a question is red until it stands in the table."""
    assert commands_that_ask() == COMMAND_LINES.keys()


def test_questions_are_asked_in_one_place_and_never_by_pulumi() -> None:
    """Pulumi would ask after the command has changed something; so it is always told yes."""
    asking, updates = set(), []
    for path in sorted((ROOT / "altlas").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in {"typer.confirm", "typer.prompt", "input", "click.confirm", "click.prompt"}:
                    asking.add(path.name)
                if called.endswith("engine.run") and any(word in ast.unparse(node) for word in ("'up'", "'destroy'")):
                    # `up` and the addons name the options that hold it.
                    agreed = any(word in ast.unparse(node) for word in ("--yes", "_AGREED", "stack, options"))
                    updates.append((path.name, agreed))
    assert asking == {"consent.py"}
    assert len(updates) >= 4
    assert [name for name, agreed in updates if not agreed] == []


@pytest.fixture(params=COMMAND_LINES)
def command(request: pytest.FixtureRequest, _boats: None) -> str:
    """Every command that asks, with something to do."""
    name: str = request.param
    if name == "addons remove":
        request.getfixturevalue("_installed")
    return name


@pytest.mark.parametrize("answer", [False, typer.Abort, KeyboardInterrupt], ids=["no", "abort", "Ctrl-C"])
def test_no_and_ctrl_c_change_nothing(
    command: str, answer: Any, world: World, altlas: Altlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither cluster nor state nor any file of the checkout."""
    asked = answering(monkeypatch, answer)
    before, state = files_of(Path(os.environ["ALT_LAS_ROOT"])), copy.deepcopy(world.state)
    done = altlas(*COMMAND_LINES[command])
    assert (done.code != 0, len(asked)) == (True, 1), done.error
    assert "Traceback" not in done.error
    assert world.changes == []
    assert (files_of(Path(os.environ["ALT_LAS_ROOT"])), world.state) == (before, state)


def test_yes_changes_something(command: str, world: World, altlas: Altlas, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control run: the same world, the other answer."""
    answering(monkeypatch, "alpha" if command == "backup restore" else True)
    done = altlas(*COMMAND_LINES[command])
    # A restore first looks for the CronJob whose pods it copies.
    assert world.changes or "there is no CronJob redis-backup" in done.error, done.error


def test_where_nobody_can_answer_nothing_is_changed_and_the_option_is_named(
    command: str, world: World, altlas: Altlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as in a workflow."""
    monkeypatch.setattr(consent, "at_a_terminal", lambda: False)
    done = altlas(*COMMAND_LINES[command])
    option = "--confirm alpha" if command == "backup restore" else "--yes says yes"
    assert (done.code, option in done.error) == (2, True), done.error
    assert world.changes == []
