"""Messages to a user when something is wrong with a simulated cluster; no real program runs."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.__main__ import main
from cluster.control_plane import PROGRAMS
from cluster.errors import ClusterError
from cluster.lock import exclusive_lock, try_lock
from cluster.simulator import Simulator

SLEEPING = "#!/bin/sh\nexec sleep 60\n"
FAILING = "#!/bin/sh\necho 'bind: permission denied'\nexit 1\n"


@pytest.fixture
def fake_programs(tmp_path: Path) -> Callable[..., dict[str, Path]]:
    """Make programs that only sleep, or that fail."""

    def make(**contents: str) -> dict[str, Path]:
        directory = tmp_path / "programs"
        directory.mkdir()
        for name in PROGRAMS:
            path = directory / name
            path.write_text(contents.get(name.replace("-", "_"), SLEEPING))
            path.chmod(0o755)
        return {name: directory / name for name in PROGRAMS}

    return make


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A cluster's directory; its processes are ended after the test."""
    path = tmp_path / "sim"
    yield path
    Simulator(path, {}, report=lambda _: None).stop()


def test_a_process_that_dies_is_reported_with_its_last_words(
    directory: Path, fake_programs: Callable[..., dict[str, Path]]
) -> None:
    """The user need not search for the log."""
    programs = fake_programs(kube_apiserver=FAILING)
    with pytest.raises(ClusterError, match=r"(?s)kube-apiserver ended by itself.*bind: permission denied"):
        Simulator(directory, programs, report=lambda _: None).start()
    states = {process.name: process.state for process in Simulator(directory, {}, report=print).status().processes}
    assert (states["etcd"], states["kube-apiserver"], states["kwok"]) == ("running", "dead", "absent")


def test_missing_programs_are_named(directory: Path) -> None:
    """All of them at once."""
    with pytest.raises(ClusterError, match=r"Programs not found: etcd, kube-apiserver, .*Install"):
        Simulator(directory, {}, report=lambda _: None).start()
    assert not directory.exists()


def test_a_directory_with_other_content_is_neither_used_nor_deleted(
    tmp_path: Path, fake_programs: Callable[..., dict[str, Path]]
) -> None:
    """A slip in the path must not cost the user's files."""
    (tmp_path / "precious").write_text("kept")
    simulator = Simulator(tmp_path, fake_programs(), report=lambda _: None)
    for action in (simulator.start, simulator.stop, simulator.delete):
        with pytest.raises(ClusterError, match="something other than a simulated cluster"):
            action()
    assert (tmp_path / "precious").read_text() == "kept"


def test_stopping_what_is_not_there_says_so(tmp_path: Path) -> None:
    """And makes nothing."""
    reports: list[str] = []
    simulator = Simulator(tmp_path / "sim", {}, report=reports.append)
    simulator.stop()
    simulator.delete()
    assert reports == [f"There is no simulated cluster in {tmp_path / 'sim'}."] * 2
    assert not (tmp_path / "sim").exists()


def test_a_damaged_state_file_is_a_clear_error(tmp_path: Path) -> None:
    """It names the file and what to do."""
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(ClusterError, match=r"state\.json cannot be read.*delete that directory"):
        Simulator(tmp_path, {}, report=lambda _: None).status()


def test_a_lock_that_is_held_too_long_names_its_holder(tmp_path: Path) -> None:
    """The second command gives up with the process to look at."""
    path = tmp_path / "lock"
    path.write_text("4711")
    reports: list[str] = []
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with (
            pytest.raises(ClusterError, match=r"\(process 4711\).*try again"),
            exclusive_lock(path, 0.1, reports.append),
        ):
            pytest.fail("the lock was given twice")
    assert reports == ["Waiting for another command (process 4711) that is changing this cluster."]


def test_a_lock_is_free_again_after_its_use(tmp_path: Path) -> None:
    """Also after the file was removed meanwhile, as a deletion does."""
    path = tmp_path / "lock"
    with exclusive_lock(path, 0.1, pytest.fail):
        path.unlink()
    with exclusive_lock(path, 0.1, pytest.fail):
        assert path.exists()


def test_a_lock_on_a_removed_file_does_not_count(tmp_path: Path) -> None:
    """A command that waited while the cluster was deleted must take the lock that all others see."""
    path = tmp_path / "lock"
    with path.open("w") as stale:
        path.unlink()
        assert not try_lock(stale.fileno(), path)
        path.write_text("")
        assert not try_lock(stale.fileno(), path)
    with path.open() as current:
        assert try_lock(current.fileno(), path)


def test_the_command_prints_errors_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence with the cause and the cure, and exit code 1."""
    code = main(["start", "--directory", str(tmp_path / "sim"), "--programs", str(tmp_path / "none")])
    captured = capsys.readouterr()
    assert code == 1
    assert captured.err.startswith("error: Programs not found")


def test_the_status_of_nothing_is_that_all_is_absent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Asking changes nothing."""
    directory = tmp_path / "sim"
    assert main(["status", "--directory", str(directory)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("not ready")
    assert printed.count("absent") == len(PROGRAMS)
    assert not directory.exists()
