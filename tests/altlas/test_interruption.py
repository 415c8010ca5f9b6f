"""Interrupted and killed updates: Pulumi ends in order, and a lock that was left is named."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from altlas.session.engine import Engine
from altlas.session.update_lock import check_unlocked
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
        (os.getpid(), os.uname().nodename, "kill -INT"),
        (2**22 + 1, os.uname().nodename, "was killed and has left its lock"),
        (1, "elsewhere", "If it was killed, remove its lock with"),
    ],
    ids=["running", "killed", "elsewhere"],
)
def test_a_lock_that_an_update_left_is_named_with_its_cure(tmp_path: Path, process: int, host: str, said: str) -> None:
    """Before anything is written; as Pulumi 3.259 writes its lock."""
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "alt-las" / "alpha"
    folder.mkdir(parents=True)
    lock = {"pid": process, "username": "root", "hostname": host, "timestamp": "2026-11-27T03:45:37.796240904Z"}
    (folder / "47175f17-ef10-45b9-b674-3f822b7d02f9.json").write_text(json.dumps(lock))
    engine = Engine(tmp_path, {"PULUMI_BACKEND_URL": f"file://{tmp_path}"})
    with pytest.raises(CommandError, match=said) as caught:
        check_unlocked(engine, "alpha")
    assert caught.value.code == ExitCode.BUSY
    assert ("pulumi cancel --yes --stack alpha" in str(caught.value)) is (process != os.getpid())
    check_unlocked(engine, "beta")
    check_unlocked(Engine(tmp_path, {"PULUMI_BACKEND_URL": "https://api.pulumi.com"}), "alpha")
