"""Two runs at the same time, killed runs, and what is left behind."""

import os
import signal
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.sandbox import Sandbox, wait_until
from tools.__main__ import main
from tools.cache import Cache
from tools.progress import Reporter


@pytest.fixture
def gate(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide a gate at which every fake build waits until something is written to it."""
    gate = sandbox.folder / "gate"
    os.mkfifo(gate)
    monkeypatch.setenv("FAKE_GO_GATE", str(gate))
    return gate


def open_gate(gate: Path) -> None:
    """Let the waiting build go on."""
    gate.write_text("go on\n", "utf-8")


def workspaces(sandbox: Sandbox) -> list[Path]:
    """Return the folders of unfinished work."""
    return list((sandbox.root / "work").iterdir())


def test_two_runs_at_the_same_time_build_once(sandbox: Sandbox, gate: Path) -> None:
    """The second run says that it waits, and then takes what the first one has built."""
    sandbox.package("demo")
    first = sandbox.start("ensure")
    wait_until(lambda: sandbox.builds)
    second = sandbox.start("ensure")
    wait_until(lambda: "waiting for another run" in (sandbox.folder / "stderr-1").read_text("utf-8"))
    open_gate(gate)
    answers = [first.communicate(timeout=60)[0], second.communicate(timeout=60)[0]]
    assert [first.returncode, second.returncode] == [0, 0]
    assert answers == [f"{sandbox.finished('demo')[0] / 'demo'}\n"] * 2
    assert len(sandbox.builds) == 1
    assert workspaces(sandbox) == []


def test_a_killed_build_leaves_nothing_that_counts_and_the_next_run_starts_over(
    sandbox: Sandbox, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After kill -9 there is no finished folder; the next run builds, and the leftovers go when nobody uses them."""
    sandbox.package("demo")
    killed = sandbox.start("ensure")
    wait_until(lambda: sandbox.builds)
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=60)
    assert sandbox.finished("demo") == []
    (left,) = workspaces(sandbox)
    monkeypatch.delenv("FAKE_GO_GATE")
    assert main(["--manifest", str(sandbox.manifest), "ensure"]) == 0
    assert len(sandbox.finished("demo")) == 1
    # The orphaned compiler still writes there.
    assert workspaces(sandbox) == [left]
    open_gate(gate)
    wait_until(lambda: list(left.glob("*/programs/demo")))

    def cleaned() -> bool:
        with Cache(sandbox.root).workspace():
            return not left.exists()

    wait_until(cleaned)


def test_a_workspace_of_a_living_run_is_not_removed(sandbox: Sandbox) -> None:
    """Opening a second workspace leaves the first one alone."""
    cache = Cache(sandbox.root)
    with cache.workspace() as first, cache.workspace() as second:
        assert sorted(workspaces(sandbox)) == sorted([first.folder, second.folder])
    assert workspaces(sandbox) == []


def test_a_workspace_that_is_just_being_removed_does_not_disturb_another_run(sandbox: Sandbox) -> None:
    """A folder whose mark of life is already gone is removed, and the run goes on."""
    (sandbox.root / "work" / "run-vanishing" / "half").mkdir(parents=True)
    sandbox.package("demo")
    assert main(["--manifest", str(sandbox.manifest), "ensure"]) == 0
    assert workspaces(sandbox) == []


def test_clean_removes_only_what_the_manifest_no_longer_names(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Old versions and partial files of unknown checksums go; everything else in the folder stays."""
    release = {"url": "https://releases.example/demo", "sha256": "1" * 64}
    sandbox.package("demo", releases={"darwin/arm64": [release]})
    assert main(["--manifest", str(sandbox.manifest), "ensure"]) == 0
    (current,) = sandbox.finished("demo")
    old = sandbox.root / "demo@1.2.2@linux-amd64@0123456789ab"
    partial = sandbox.root / "downloads" / f"{'0' * 64}.partial"
    wanted = sandbox.root / "downloads" / f"{'1' * 64}.partial"
    foreign = [sandbox.root / "demo@notes@at@home", sandbox.root / "downloads" / "notes"]
    for folder in (old, partial.parent, foreign[0]):
        folder.mkdir(exist_ok=True)
    partial.touch()
    wanted.touch()
    foreign[1].touch()
    capsys.readouterr()
    assert main(["--manifest", str(sandbox.manifest), "clean", "--older"]) == 0
    assert capsys.readouterr().out == f"removed {old}\nremoved {partial}\n"
    assert not old.exists()
    assert not partial.exists()
    assert [path.exists() for path in (current, wanted, *foreign)] == [True] * 4


def test_locks_are_taken_in_one_order(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order in the manifest, locks go by name, so that two runs never wait for each other."""
    order: list[str] = []
    lock = Cache.lock

    def recorded(self: Cache, name: str, reporter: Reporter) -> AbstractContextManager[None]:
        order.append(name)
        return lock(self, name, reporter)

    monkeypatch.setattr(Cache, "lock", recorded)
    for name in ("second", "first"):
        sandbox.package(name)
    assert main(["--manifest", str(sandbox.manifest), "ensure"]) == 0
    assert order == ["first", "second"]


@pytest.fixture
def compiled(sandbox: Sandbox) -> Path:
    """Provide Go's build cache with something compiled in it."""
    folder = sandbox.root / "go-build"
    folder.mkdir(parents=True)
    (folder / "object").touch()
    return folder


def test_what_go_has_compiled_is_removed_when_every_program_is_there(sandbox: Sandbox, compiled: Path) -> None:
    """It takes gigabytes, and what is built once is never compiled again."""
    sandbox.package("demo")
    assert main(["--manifest", str(sandbox.manifest), "ensure"]) == 0
    assert (sandbox.folder / "go.log.cache").read_text("utf-8") == f"{compiled}\n"
    assert not compiled.exists()


def test_what_go_has_compiled_stays_after_a_failure(
    sandbox: Sandbox, compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run continues from there; `clean` removes it."""
    sandbox.package("demo")
    monkeypatch.setenv("FAKE_GO_FAILURE", "no space left")
    assert main(["--manifest", str(sandbox.manifest), "ensure"]) == 3
    assert compiled.exists()
    assert main(["--manifest", str(sandbox.manifest), "clean", "--older"]) == 0
    assert not compiled.exists()


def test_what_go_has_compiled_stays_while_another_run_builds_with_it(sandbox: Sandbox, compiled: Path) -> None:
    """The last of the runs removes it."""
    sandbox.package("demo")
    with Cache(sandbox.root).build_cache() as other:
        assert main(["--manifest", str(sandbox.manifest), "ensure"]) == 0
        assert compiled.exists()
        other.remove()
    assert not compiled.exists()


def test_a_build_cache_that_the_user_names_is_used_and_never_removed(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Work on the recipes needs it."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("GOCACHE", str(own))
    sandbox.package("demo")
    assert main(["--manifest", str(sandbox.manifest), "ensure"]) == 0
    assert (sandbox.folder / "go.log.cache").read_text("utf-8") == f"{own}\n"
    assert own.exists()
