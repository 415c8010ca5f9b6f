"""Files of Pulumi's own backends, a folder or a bucket: state, history and backups, in the form of its CLI."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from altlas.session.durable_file import write_durably
from altlas.session.journal.bucket import BucketPath, StatePath
from altlas.session.journal.replay import StackState
from rendering.errors import CommandError

ORGANIZATION = "organization"
"""The one organization that the file backend has."""

_LATEST_SCHEMAS = (3, 4)


class StateError(CommandError):
    """A state file that this program does not read; the message names it."""


@dataclass(frozen=True)
class StackFiles:
    """Files of one stack in a backend.

    Attributes:
        backend: Folder that `file://` names, or the bucket.
        project: Name in Pulumi.yaml.
        stack: Name of the stack.
    """

    backend: StatePath
    project: str
    stack: str

    @property
    def state(self) -> StatePath:
        """The state, uncompressed; what the CLI reads."""
        return self._folder("stacks") / f"{self.stack}.json"

    @property
    def journal(self) -> StatePath:
        """Journal of the update that runs, or that was cut off. Plain Pulumi does not know it."""
        return self._folder("journals") / f"{self.stack}.jsonl"

    @property
    def locks(self) -> StatePath:
        """Folder of the locks that plain Pulumi sees."""
        return self.backend / ".pulumi" / "locks" / ORGANIZATION / self.project / self.stack

    @property
    def is_plain(self) -> bool:
        """True if the state is an uncompressed file, the only form that this program reads and writes."""
        return self._forms == {""}

    @property
    def exists(self) -> bool:
        """True if the backend knows the stack."""
        return bool(self._forms)

    @property
    def _forms(self) -> set[str]:
        """Endings of the files that can be the state: none, or those of compressed ones."""
        name = self.state.name
        return {each.name.removeprefix(name) for each in self._folder("stacks").glob(f"{name}*")} & {"", ".gz", ".zst"}

    def _folder(self, name: str) -> StatePath:
        return self.backend / ".pulumi" / name / self.project

    def read(self) -> StackState:
        """The state as it stands.

        Raises:
            StateError: The file cannot be read, is no state, or is of another schema.
        """
        try:
            content = self.state.read_bytes()
        except OSError as error:
            raise self._unreadable(error) from error
        return self.parsed(content)

    def parsed(self, content: bytes) -> StackState:
        """The state that a file with this content holds; raises StateError as `read` does."""
        try:
            document = json.loads(content)
            version, latest = document["version"], document["checkpoint"].get("latest")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._unreadable(error) from error
        if version not in _LATEST_SCHEMAS:
            raise StateError(f"the state {self.state} has the schema {version}; known are 3 and 4")
        return StackState(latest or {}, version, tuple(document.get("features") or ()))

    def _unreadable(self, error: Exception) -> StateError:
        return StateError(
            f"cannot read the state {self.state}: {error}. Nothing was changed. The state before the last update "
            f"lies beside it, as {self.state.name}.bak"
        )

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
        before = self.state.with_name(f"{self.state.name}.bak")
        if isinstance(self.state, BucketPath):
            with suppress(FileNotFoundError):
                self.state.copy_to(self.state.with_name(before.name))
        elif self.state.exists():
            write_whole(before, self.state.read_bytes())
        write_whole(self.state, content)

    def add_to_history(self, update: Mapping[str, Any], state: bytes) -> None:
        """Note an update beside the content of its state, as `pulumi stack history` reads it."""
        folder, beginning = self._folder("history") / self.stack, f"{self.stack}-{time.time_ns()}"
        _keep(folder / f"{beginning}.history.json", as_json(update))
        _keep(folder / f"{beginning}.checkpoint.json", state)

    def back_up(self, state: bytes) -> None:
        """Write the state's content to the backups, as the CLI does after each update."""
        _keep(self._folder("backups") / self.stack / f"{self.stack}.{time.time_ns()}.json", state)


def as_json(document: object) -> bytes:
    """JSON as the CLI writes it: one line, nothing escaped that need not be."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def write_whole(path: StatePath, content: bytes) -> None:
    """Replace a file of a backend as a whole; it is stored when this returns.

    Raises:
        OSError: It cannot be written; the file before is untouched.
    """
    if isinstance(path, BucketPath):
        path.write_bytes(content)
        return
    write_durably(path, content)
    # Written by the CLI beside each file; holds the checksum of the content before.
    path.with_name(f"{path.name}.attrs").unlink(missing_ok=True)


def _keep(path: StatePath, content: bytes) -> None:
    """Write a file that nothing depends on."""
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
