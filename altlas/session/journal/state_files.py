"""Files of Pulumi's file backend: state, history and backups of its stacks, as its CLI reads and writes them."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from altlas.session.durable_file import write_durably
from altlas.session.journal.replay import StackState
from rendering.errors import CommandError

ORGANIZATION = "organization"
"""The one organization that the file backend has."""

_LATEST_SCHEMAS = (3, 4)


class StateError(CommandError):
    """A state file that this program does not read; the message names it."""


@dataclass(frozen=True)
class StackFiles:
    """Files of one stack below the folder of a file backend.

    Attributes:
        backend: Folder that `file://` names.
        project: Name in Pulumi.yaml.
        stack: Name of the stack.
    """

    backend: Path
    project: str
    stack: str

    @property
    def state(self) -> Path:
        """The state, uncompressed; what the CLI reads."""
        return self._folder("stacks") / f"{self.stack}.json"

    @property
    def journal(self) -> Path:
        """Journal of the update that runs, or that was cut off. Plain Pulumi does not know it."""
        return self._folder("journals") / f"{self.stack}.jsonl"

    @property
    def locks(self) -> Path:
        """Folder of the locks that plain Pulumi sees."""
        return self.backend / ".pulumi" / "locks" / ORGANIZATION / self.project / self.stack

    @property
    def is_plain(self) -> bool:
        """True if the state is an uncompressed file, the only form that this program reads and writes."""
        return self.state.exists() and not self._is_compressed

    @property
    def exists(self) -> bool:
        """True if the backend knows the stack."""
        return self.state.exists() or self._is_compressed

    @property
    def _is_compressed(self) -> bool:
        return any(self.state.with_name(f"{self.state.name}.{suffix}").exists() for suffix in ("gz", "zst"))

    def _folder(self, name: str) -> Path:
        return self.backend / ".pulumi" / name / self.project

    def read(self) -> StackState:
        """The state as it stands.

        Raises:
            StateError: The file cannot be read, is no state, or is of another schema.
        """
        try:
            document = json.loads(self.state.read_bytes())
            version, latest = document["version"], document["checkpoint"].get("latest")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateError(
                f"cannot read the state {self.state}: {error}. Nothing was changed. The state before the last update "
                f"lies beside it, as {self.state.name}.bak"
            ) from error
        if version not in _LATEST_SCHEMAS:
            raise StateError(f"the state {self.state} has the schema {version}; known are 3 and 4")
        return StackState(latest or {}, version, tuple(document.get("features") or ()))

    def content(self, deployment: StackState) -> bytes:
        """Content of the file that holds a state."""
        document: dict[str, Any] = {"version": deployment.version}
        if deployment.features:
            document["features"] = list(deployment.features)
        document["checkpoint"] = {"stack": f"{ORGANIZATION}/{self.project}/{self.stack}", "latest": deployment.body}
        return as_json(document)

    def write(self, content: bytes) -> None:
        """Put a state in place of the one before, which stays as `.bak`.

        A reader sees the old state or the new one; the new one is on the disk when this returns.

        Raises:
            OSError: The disk is full or the folder cannot be written; the state before is untouched.
        """
        if self.state.exists():
            _write(self.state.with_name(f"{self.state.name}.bak"), self.state.read_bytes())
        _write(self.state, content)

    def add_to_history(self, update: Mapping[str, Any]) -> None:
        """Note an update beside a copy of its state, as `pulumi stack history` reads it."""
        folder = self._folder("history") / self.stack
        folder.mkdir(parents=True, exist_ok=True)
        beginning = folder / f"{self.stack}-{time.time_ns()}"
        Path(f"{beginning}.history.json").write_bytes(as_json(update))
        Path(f"{beginning}.checkpoint.json").write_bytes(self.state.read_bytes())

    def back_up(self) -> None:
        """Copy the state to the backups, as the CLI does after each update."""
        folder = self._folder("backups") / self.stack
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.stack}.{time.time_ns()}.json").write_bytes(self.state.read_bytes())


def as_json(document: object) -> bytes:
    """JSON as the CLI writes it: one line, nothing escaped that need not be."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _write(path: Path, content: bytes) -> None:
    write_durably(path, content)
    # Written by the CLI beside each file; holds the checksum of the content before.
    path.with_name(f"{path.name}.attrs").unlink(missing_ok=True)
