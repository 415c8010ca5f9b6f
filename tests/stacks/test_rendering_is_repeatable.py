"""Rendering a stack gives the same bytes, whenever and wherever it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rendering.files import render
from rendering.recorder import record
from tests.support.documents import ROOT, STACKS, platform_of


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a rendering by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("stack", STACKS)
def test_rendering_twice_gives_the_same_bytes(tmp_path: Path, stack: str) -> None:
    """In one process, from two runs of the program."""
    for name in ("one", "other"):
        render(record(stack, platform_of(stack)).objects, tmp_path / name)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")
    assert len(contents(tmp_path / "one")) > 30


def test_another_process_with_another_hash_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """The order of sets and dictionaries must not show."""
    render(record("beta", platform_of("beta")).objects, tmp_path / "here")
    for seed in ("1", "2"):
        subprocess.run(
            [
                sys.executable,
                "-c",
                "from altlas.cli import main; main()",
                "stack",
                "render",
                "beta",
                f"--out={tmp_path / seed}",
            ],
            env=os.environ | {"PYTHONHASHSEED": seed, "ALT_LAS_ROOT": str(ROOT)},
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        assert contents(tmp_path / seed) == contents(tmp_path / "here")
