"""A stack that was never up or is removed, and a removal that is not confirmed: no command starts a cluster for it."""

import copy

import pytest

from rendering.errors import ExitCode
from tests.addons.conftest import addons_of, memory
from tests.altlas.conftest import Altlas
from tests.altlas.test_prompts import World, alpha_state, world

__all__ = ["addons_of", "memory", "world"]

DESTROY = ("destroy", "alpha", "--yes")
ROTATE = ("secrets", "rotate", "alpha", "natsRunnerPassword", "--yes", "--no-addons")


@pytest.fixture
def started(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Clusters that a command has started."""
    found: list[str] = []

    def start(*_: object) -> None:
        found.append("cluster")
        raise KeyboardInterrupt

    for module in ("commands.destroy", "update.up"):
        monkeypatch.setattr(f"altlas.{module}.start_session", start)
    world.changes.clear()
    return found


@pytest.mark.parametrize("line", [DESTROY, (*DESTROY, "--with-data", "alpha"), ROTATE], ids=" ".join)
@pytest.mark.parametrize("resources", [None, []], ids=["never up", "removed"])
def test_a_stack_without_objects_is_refused_before_a_cluster_starts(
    altlas: Altlas, world: World, started: list[str], resources: list[object] | None, line: tuple[str, ...]
) -> None:
    """A whole platform must not come up where a password was to be changed, nor a cluster to remove nothing from it."""
    world.state = {} if resources is None else {"deployment": {"resources": resources}}
    done = altlas(*line)
    assert (done.code, started, world.changes) == (ExitCode.BAD_INPUT, [], [])
    assert "the stack alpha is not deployed, so " in done.error


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (DESTROY, "the stack alpha holds data that cannot be recreated"),
        ((*DESTROY, "--with-data", "beta"), "--with-data names 'beta', but the stack is 'alpha'"),
    ],
    ids=["data", "another name"],
)
def test_a_removal_that_is_not_confirmed_starts_no_cluster(
    altlas: Altlas, world: World, started: list[str], line: tuple[str, ...], reason: str
) -> None:
    """Exit code 2 means that nothing was changed."""
    done = altlas(*line)
    assert (done.code, started, world.changes) == (ExitCode.BAD_INPUT, [], [])
    assert reason in done.error


@pytest.mark.parametrize("line", [(*DESTROY, "--with-data", "alpha"), ROTATE], ids=" ".join)
def test_a_deployed_stack_goes_on_to_its_cluster(
    altlas: Altlas, world: World, started: list[str], line: tuple[str, ...]
) -> None:
    """The control."""
    world.state = copy.deepcopy(alpha_state())
    altlas(*line)
    assert started == ["cluster"]


def test_what_the_first_update_had_only_begun_is_removed(altlas: Altlas, world: World, started: list[str]) -> None:
    """A killed update may have made its first object, of which the state knows no more than that."""
    world.state = {"deployment": {"resources": [], "pending_operations": [{"type": "creating"}]}}
    altlas(*DESTROY)
    assert started == ["cluster"]
