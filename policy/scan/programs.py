"""Locations of the scanners, and their start."""

import json
import os
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tools
from policy.scan.findings import ScannerError
from rendering.root import ROOT
from tools import python_packages

PROGRAMS = ("kube-score", "kubeconform", "actionlint", "trivy")
"""Scanners that are built from Go modules."""

PYTHON_PROJECT = ROOT / "tools" / "python" / "scanners"
"""Scanners that are Python packages, with everything that they need, by checksum."""

_LONGEST_SECONDS = 300
_SHOWN_LINES = 5


@dataclass(frozen=True)
class Programs:
    """The scanners of this machine.

    Attributes:
        toolbox: Those that are programs of their own.
        environment: Those that are Python packages.
    """

    toolbox: tools.Toolbox
    environment: python_packages.Environment

    @classmethod
    def provide(cls) -> "Programs":
        """Find, build or install all scanners.

        Raises:
            tools.ToolsUnavailableError: One cannot be had.
        """
        return cls(tools.ensure(PROGRAMS), python_packages.ensure(PYTHON_PROJECT))

    def path(self, name: str) -> Path:
        """Path of a scanner."""
        return self.toolbox.path(name) if name in PROGRAMS else self.environment.program(name)


def run(command: Sequence[str | Path], folder: Path, good: Collection[int] = (0, 1)) -> str:
    """Run a scanner in a folder and return what it writes to standard output.

    Args:
        command: Program and arguments.
        folder: Working directory; scanners look there for a configuration of their own.
        good: Exit codes with which it has done its work, whatever it found.

    Raises:
        ScannerError: It ends with another code, or takes longer than five minutes.
    """
    name = Path(command[0]).name
    # Colours and pagers would end up in what is read.
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
    try:
        answer = subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ScannerError(f"{name} did not end within {_LONGEST_SECONDS} seconds") from error
    # Having found something, a scanner says what; without a word it has failed.
    if answer.returncode not in good or (answer.returncode and not answer.stdout.strip()):
        last = "\n".join((answer.stderr or answer.stdout).strip().splitlines()[-_SHOWN_LINES:])
        raise ScannerError(f"{name} ended with status {answer.returncode}:\n{last}")
    return answer.stdout


def run_json(command: Sequence[str | Path], folder: Path, good: Collection[int] = (0, 1)) -> Any:
    """Run a scanner and read the JSON that it writes.

    Raises:
        ScannerError: It does not do its work, or writes something else.
    """
    text = run(command, folder, good)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ScannerError(f"{Path(command[0]).name} wrote no JSON: {text[:200]!r}") from error
