"""A rotation is killed at any point and run again: no pod ever uses a password that a server may not know."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from altlas.session.workspace import Workspace
from altlas.update import rotation
from altlas.update.rotation import FOLLOW_SECONDS, RotationRequest
from cluster import Target
from components.settings.secrets import ROTATING, SECOND_IN_USE, SECRETS, noted

KEY = "natsRunnerPassword"
SECOND = f"{KEY}Second"
CHANGES = 12
"""Of three updates, each in four parts; a rotation makes more."""


class KilledError(Exception):
    """The end of a command in the middle of its work."""


class World:
    """A stack file, a deployed stack with its pods, and a store whose servers read changed passwords later.

    Attributes:
        points: Changes that are still made until the command is killed; None for all.
        passed: Number of changes.
        pods: Passwords that running pods use.
        read: Passwords that a server may know: those of every deployment since all have surely read the last one.
        refused: Passwords that a pod used and a server may not have known.
    """

    def __init__(self, stack_file: Path) -> None:
        self.file = stack_file
        self.document = yaml.load(stack_file.read_text(), yaml.CSafeLoader)
        self.configuration: dict[str, Any] = self.document["config"]
        self.configuration |= {
            f"alt-las:{each.key}": {"secure": f"first {each.key}"} for each in SECRETS if each.required
        }
        self._write()
        self.points: int | None = None
        self.passed = self.generated = 0
        self.pods = {self.in_use}
        self.read = [self.both]
        self.refused: set[str] = set()

    @property
    def both(self) -> frozenset[str]:
        """Passwords in the stack file."""
        return frozenset(self.configuration[f"alt-las:{key}"]["secure"] for key in (KEY, SECOND))

    @property
    def in_use(self) -> str:
        """Password that the stack file gives to pods."""
        second = KEY in noted(self.configuration.get(f"alt-las:{SECOND_IN_USE}"))
        found: str = self.configuration[f"alt-las:{SECOND if second else KEY}"]["secure"]
        return found

    def point(self) -> None:
        """A point at which the command may be killed."""
        if self.points is not None and self.passed >= self.points:
            raise KilledError
        self.passed += 1

    def up(self) -> SimpleNamespace:
        """An update: Secrets, then new pods beside the old ones, then the end of these."""
        new = self.in_use
        for pods in (self.pods, self.pods | {new}, {new}):
            self.point()
            self.read.append(self.both)
            self.pods = pods
            self.refused |= {pod for pod in pods for known in self.read if pod not in known}
        # The update has ended, and its caller has not heard of it.
        self.point()
        return self.session

    def _write(self) -> None:
        self.file.write_text(yaml.dump(self.document, Dumper=yaml.CSafeDumper))

    def capture(self, *words: str, text: str | None = None) -> str:
        """Change the stack file as Pulumi does; the command may be killed before and after."""
        self.point()
        if words[1] == "set":
            self.generated += 1
            self.configuration[words[3]] = {"secure": f"{self.generated} {text}"}
        elif words[1] == "set-all":
            self.configuration |= dict(word.split("=") for word in words if "=" in word)
        else:
            del self.configuration[words[2]]
        self._write()
        self.point()
        return ""

    def made(self, *_: str) -> str:
        """Time at which the youngest Secret was made: now where a server may not have read it."""
        when = datetime.now(UTC) if len(set(self.read)) > 1 else datetime(2020, 1, 1, tzinfo=UTC)
        return when.isoformat()

    def sleep(self, seconds: float) -> None:
        """Let the servers read."""
        assert seconds > FOLLOW_SECONDS / 2
        self.read = self.read[-1:]

    def replace_unused(self) -> None:
        """Generate the password that no pod uses, in the stack file only."""
        self.points = None
        (key,) = rotation.out_of_use(noted(self.configuration.get(f"alt-las:{SECOND_IN_USE}")), (KEY,))
        self.capture("config", "set", "--secret", f"alt-las:{key}")

    @property
    def session(self) -> SimpleNamespace:
        """An engine and a cluster without ending pods."""
        nothing = {name: lambda *_: () for name in ("items", "named", "check_unlocked")}
        engine = {
            "exported_state": lambda _: {"deployment": {"resources": [{"type": "pulumi:pulumi:Stack"}]}},
            "capture": self.capture,
        }
        both = SimpleNamespace(kubeconfig="", text=self.made, **nothing, **engine)
        return SimpleNamespace(engine=both, kubectl=both)

    def rotate(self, points: int | None = None) -> None:
        """Run the command, until it is killed after a number of changes."""
        self.points, self.passed = points, 0
        asked = RotationRequest(Workspace(self.file.parent), "alpha", None, (KEY,), ("--yes",), False, lambda _: None)
        rotation.rotate(asked)


@pytest.fixture
def world(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Alpha, deployed long ago."""
    world = World(checkout / "Pulumi.alpha.yaml")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of a test")
    monkeypatch.setattr(rotation, "engine_session", lambda *_: world.session)
    monkeypatch.setattr(rotation, "choose_target", lambda *_: Target("kubeconfig", "a test names it"))
    monkeypatch.setattr(RotationRequest, "up", lambda _: world.up())
    monkeypatch.setattr(time, "sleep", world.sleep)
    yield world
    assert f"alt-las:{ROTATING}" not in world.configuration


def test_a_rotation_refuses_no_pod_and_replaces_the_old_password(world: World) -> None:
    """Once, and once more at once."""
    for second in (True, False):
        before, old = world.both, world.in_use
        world.rotate()
        assert (world.in_use in before, world.in_use != old, old in world.both) == (True, True, False)
        assert (KEY in noted(world.configuration[f"alt-las:{SECOND_IN_USE}"])) is second
    assert world.refused == set()


@pytest.mark.parametrize("undeployed", [False, True], ids=["as deployed", "with a password that was never deployed"])
def test_the_same_command_goes_on_from_every_point_of_a_failure(world: World, undeployed: bool) -> None:
    """Every change that a rotation makes, in file, Secrets and pods, was the last one of a command once."""
    for points in range(100):
        if undeployed:
            world.replace_unused()
        old = world.in_use
        try:
            world.rotate(points)
        except KilledError:
            world.rotate()
        else:
            break
        assert (world.refused, old in world.both) == (set(), False), f"killed after {points} changes"
    assert points > CHANGES


def test_a_naive_rotation_refuses_pods(world: World) -> None:
    """The control run: the new pods use at once what was generated just now."""
    world.replace_unused()
    world.capture("config", "set-all", f"alt-las:{SECOND_IN_USE}={KEY}")
    world.up()
    assert world.refused == {world.in_use}
