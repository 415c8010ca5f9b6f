"""Folders that cannot be written: each command says which, and leaves everything as it was.

An administrator may write wherever permissions say no, so the folder is mounted read-only in a namespace of its own.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.cases import Cases
from tests.support.documents import ROOT, STACKS
from tests.support.figures import Figures
from tests.support.scratch import copy_program

pytestmark = pytest.mark.gate

MOUNT = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
WRITING = (
    "up alpha",
    "destroy alpha --yes",
    "down",
    "env",
    "secrets reset alpha",
    "secrets init alpha",
    "stack transition alpha beta --write",
    "state recover alpha",
    "status alpha",
    "drift alpha",
    "plan alpha --output ../plan.json",
    "addons install",
)
READING = ("diff alpha beta", "stack schema", "stack transition alpha beta", "--version")
KINDS = ("the checkout is mounted read-only", "its .altlas is mounted read-only", "its .altlas is a file")


def _can_mount(folder: Path) -> bool:
    command = ["unshare", "--mount", "sh", "-c", MOUNT, str(folder), "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _altlas(root: Path, read_only: Path | None, command: str) -> subprocess.CompletedProcess[str]:
    mounted = ["unshare", "--mount", "sh", "-c", MOUNT, str(read_only)] if read_only else []
    return subprocess.run(
        [*mounted, str(ROOT / ".venv" / "bin" / "altlas"), *command.split()],
        cwd=root,
        env={**os.environ, "ALT_LAS_ROOT": str(root), "TARGET": "sim"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_cannot_be_written_is_named(
    kind: str, tmp_path: Path, *, cases_of: Callable[..., Cases], figures: Figures
) -> None:
    """An error with the path, no traceback, and no file is changed; commands that only print still do."""
    root = tmp_path / "checkout"
    root.mkdir()
    cases = cases_of(kind, "refused with the folder's path, nothing changed", "mock")
    if not _can_mount(root):
        pytest.skip("not staged here: a folder mounted read-only, which needs root and namespaces of mounts")
    copy_program(root, [f"Pulumi.{stack}.yaml" for stack in STACKS])
    private = root / ".altlas"
    private.touch() if kind == KINDS[2] else (private / "state").mkdir(parents=True)
    read_only = {KINDS[0]: root, KINDS[1]: private, KINDS[2]: None}[kind]
    before = _content(root)
    for command in cases.left(WRITING):
        done = _altlas(root, read_only, command)
        said = done.stderr.strip().splitlines()[-1:] or [""]
        named = said[0].startswith("error: ") and str(private) in said[0] and "Traceback" not in done.stderr
        held = named and done.returncode not in (0, 2) and _content(root) == before
        cases.finish(command, held=held)
        assert held, (command, done.returncode, done.stdout, done.stderr)
    for command in READING:
        assert _altlas(root, read_only, command).returncode == 0, command
    figures.add(f"faults: {kind}", str(cases.outcome))
