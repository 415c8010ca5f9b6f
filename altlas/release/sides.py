"""The two sides of a comparison: a stack, or a stack file of this or another checkout.

Imports little, so that the objects of one side are recorded in a process of its own while this one still starts.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from altlas.session.workspace import Workspace
from rendering.errors import CommandError, ExitCode
from rendering.root import ROOT

_FILE_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        name: As the user gave it.
        stack: Name of the stack.
        file: Its stack file.
        root: Folder of the program that renders it.
    """

    name: str
    stack: str
    file: Path
    root: Path

    @property
    def is_own_program(self) -> bool:
        """True if this process has the program of that side."""
        return self.root == ROOT


def side(workspace: Workspace, name: str) -> Side:
    """The side that a name or a path means; a path ends in .yaml.

    Raises:
        CommandError: It cannot be the name of a stack, or the program beside the file is too old.
    """
    if not name.endswith(_FILE_ENDINGS):
        return Side(name, name, workspace.stack_file(name), ROOT)
    file = Path(name).resolve()
    stack = file.name.removeprefix("Pulumi.").rpartition(".")[0]
    return Side(name, stack, file, _program(file.parent))


def _program(folder: Path) -> Path:
    """The checkout that a stack file lies in; this one for a file that lies elsewhere."""
    if not (folder / "__main__.py").is_file():
        return ROOT
    if not (folder / "rendering" / "__main__.py").is_file():
        raise CommandError(
            f"the program in {folder} is older than this command and cannot be rendered by it; compare settings alone "
            "by `altlas stack diff`, or copy its stack file elsewhere to render it with this program",
            ExitCode.BAD_INPUT,
        )
    return folder


class Recording:
    """Objects of a side, which another process records."""

    def __init__(self, side: Side, process: "subprocess.Popen[str]") -> None:
        self._side = side
        self._process = process

    def documents(self) -> list[dict[str, Any]]:
        """Registrations as plain data, once the process has them.

        Raises:
            CommandError: The program of that side refuses the settings, or fails.
        """
        out, error = self._process.communicate()
        if self._process.returncode:
            message = error.strip() if self._process.returncode == ExitCode.BAD_INPUT else error.strip()[-500:]
            raise CommandError(f"{self._side.name} cannot be rendered: {message}", ExitCode.BAD_INPUT)
        found: list[dict[str, Any]] = json.loads(out)
        return found


@contextmanager
def recording(side: Side, platform: Mapping[str, Any] | None = None) -> Iterator[Recording]:
    """Record a side in another process, which ends with the block.

    Args:
        side: The side.
        platform: Its settings; without them those of its file.
    """
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-m", "rendering"], cwd=side.root, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    try:
        if process.stdin:
            request = {"stack": side.stack, "file": str(side.file), "platform": platform}
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        yield Recording(side, process)
    finally:
        process.kill()
        process.communicate()
