"""A checkout's own folder and its lock."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from altlas.session.workspace import Workspace
from rendering.errors import CommandError, ExitCode
from tests.support.documents import ROOT

HOLD = """
import sys, time
from pathlib import Path
from altlas.session.workspace import Workspace
with Workspace(Path(sys.argv[1])).only_one("up --stack alpha"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(checkout: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of the checkout."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(checkout)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize(
    "arguments", [("stack", "transition", "alpha", "beta", "--write"), ("secrets", "reset"), ("down",)]
)
def test_a_held_lock_ends_a_command_with_the_name_of_the_holder(
    holder: subprocess.Popen[str], altlas: Callable[..., Any], checkout: Path, arguments: tuple[str, ...]
) -> None:
    """Exit code 5 asks to wait; nothing was changed."""
    before = (checkout / "Pulumi.alpha.yaml").read_bytes()
    done = altlas(*arguments)
    assert (done.code, done.out) == (5, "")
    assert done.error == (
        f"error: another altlas command holds the lock: altlas up --stack alpha (process {holder.pid}); wait until "
        "it ends, then try again. Nothing was changed\n"
    )
    assert (checkout / "Pulumi.alpha.yaml").read_bytes() == before


def test_reading_commands_need_no_lock(holder: subprocess.Popen[str], altlas: Callable[..., Any]) -> None:
    """Commands that only read do not wait."""
    assert holder.poll() is None
    assert altlas("diff", "alpha", "beta").code == 0
    assert altlas("stack", "transition", "alpha", "beta").code == 0


def test_a_killed_holder_leaves_no_lock_behind(holder: subprocess.Popen[str], checkout: Path) -> None:
    """The kernel lets go of it; there is no file to remove by hand."""
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with Workspace(checkout).only_one("down"):
        assert (checkout / ".altlas" / "lock").read_text() == f"altlas down (process {os.getpid()})"


def test_a_lock_is_free_again_after_a_failure(tmp_path: Path) -> None:
    """Whatever ended the command."""
    workspace = Workspace(tmp_path)
    with pytest.raises(RuntimeError, match="on the way"), workspace.only_one("up"):
        raise RuntimeError("on the way")
    with workspace.only_one("down"):
        pass


def test_one_process_cannot_hold_the_lock_twice(tmp_path: Path) -> None:
    """A command within a command would wait for itself."""
    workspace = Workspace(tmp_path)
    with (
        workspace.only_one("up"),
        pytest.raises(CommandError, match=r"holds the lock: altlas up \(process \d+\)") as caught,
        workspace.only_one("down"),
    ):
        pass
    assert caught.value.code == ExitCode.BUSY


def test_what_is_made_at_run_time_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """State and passphrase lie there."""
    workspace = Workspace(tmp_path)
    workspace.create()
    workspace.create()
    for folder in (workspace.private, workspace.state, workspace.pulumi_home):
        assert folder.stat().st_mode & 0o777 == 0o700
    with workspace.only_one("up"):
        assert (workspace.private / "lock").stat().st_mode & 0o777 == 0o600


def test_a_stack_file_lies_in_the_root(tmp_path: Path) -> None:
    """Under Pulumi's own name for it."""
    assert Workspace(tmp_path).stack_file("my-org.dev_1") == tmp_path / "Pulumi.my-org.dev_1.yaml"
