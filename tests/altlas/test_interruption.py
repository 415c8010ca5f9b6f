"""Interrupted and killed updates: Pulumi ends in order, and a lock that was left is named or cleared."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from altlas.session.engine import Engine
from rendering.errors import CommandError, ExitCode
from tests.support.documents import ROOT

STAND_IN = """#!/bin/sh
trap 'echo ended in order; exit 0' INT
echo begun
for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 0.5; done
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_update_lets_pulumi_end_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """Killed, it would leave its lock and what it had begun."""
    program = tmp_path / "pulumi"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    script = (
        # A job in the background of a shell starts with SIGINT ignored.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pathlib import Path; from altlas.session.engine import Engine\n"
        f"Engine(Path({str(tmp_path)!r}), {{}}).run('up')"
    )
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        began = time.monotonic()
        process.send_signal(number)
        out, error = process.communicate(timeout=20)
    assert out == "ended in order\n"
    assert "interrupted: Pulumi has finished what it had begun" in error
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    ("process", "host", "said"),
    [
        (os.getppid(), os.uname().nodename, "kill -INT"),
        (1, "elsewhere", "If it was killed, remove its lock with"),
    ],
    ids=["running", "elsewhere"],
)
def test_a_lock_of_another_update_is_named_with_its_cure(tmp_path: Path, process: int, host: str, said: str) -> None:
    """Before anything is written."""
    path = _lock(tmp_path, process, host)
    engine = Engine(tmp_path, {"PULUMI_BACKEND_URL": f"file://{tmp_path}"})
    with pytest.raises(CommandError, match=said) as caught:
        engine.check_unlocked("alpha")
    assert caught.value.code == ExitCode.BUSY
    assert ("pulumi cancel --yes --stack alpha" in str(caught.value)) is (host == "elsewhere")
    assert path.exists()
    engine.check_unlocked("beta")
    Engine(tmp_path, {"PULUMI_BACKEND_URL": "https://api.pulumi.com"}).check_unlocked("alpha")


def test_a_lock_of_a_killed_update_is_cleared(tmp_path: Path) -> None:
    """Its process ran on this machine and has ended, so nobody holds the stack."""
    path = _lock(tmp_path, 2**22 + 1, os.uname().nodename)
    Engine(tmp_path, {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}).check_unlocked("alpha")
    assert not path.exists()


def _lock(backend: Path, process: int, host: str) -> Path:
    """A lock as Pulumi 3.259 writes it."""
    folder = backend / ".pulumi" / "locks" / "organization" / "alt-las" / "alpha"
    folder.mkdir(parents=True)
    lock = {"pid": process, "username": "root", "hostname": host, "timestamp": "2026-11-27T03:45:37.796240904Z"}
    path = folder / "47175f17-ef10-45b9-b674-3f822b7d02f9.json"
    path.write_text(json.dumps(lock))
    return path
