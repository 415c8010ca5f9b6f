"""Files of Pulumi's own backends, a folder or a bucket: state, history and backups, in the form of its CLI.

The CLI notes the MD5 of each file of a folder in another file, by which a damaged state is known. A bucket checks its
objects itself.
"""

import json
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any

from altlas.session.durable_file import write_durably
from altlas.session.journal.bucket import BucketPath, StatePath
from altlas.session.journal.replay import StackState
from components.stack.problems import PROJECT
from rendering.errors import CommandError

ORGANIZATION = "organization"
"""The one organization that the file backend has."""

_LATEST_SCHEMAS = (3, 4)
_READS = 5
_PAUSE_SECONDS = 0.05
"""Between two reads: another process may just replace a file and then note its checksum."""


class StateError(CommandError):
    """A state file that this program does not read; the message names it."""


@dataclass(frozen=True)
class StackFiles:
    """Files of one stack in a backend.

    Attributes:
        backend: Folder that `file://` names, or the bucket.
        project: Name in Pulumi.yaml.
        stack: Name of the stack.
        has_checksums: Whether the CLI notes checksums in this folder; `metadata=skip` in its address says no.
    """

    backend: StatePath
    project: str
    stack: str
    has_checksums: bool = True

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
    def copies(self) -> Iterator[StatePath]:
        """Copies of the state in history and backups, the newest first, then the one before the last write."""
        kept = [*self._checkpoints, *(self._folder("backups") / self.stack).glob(f"{self.stack}.*.json")]
        yield from sorted(kept, key=_written, reverse=True)
        if (before := self._before).exists():
            yield before

    @property
    def is_lost(self) -> bool:
        """True if there is no state, but a history, which the CLI removes with a stack."""
        return not self.exists and any(True for _ in self._checkpoints)

    @property
    def _checkpoints(self) -> Iterator[StatePath]:
        yield from (self._folder("history") / self.stack).glob(f"{self.stack}-*.checkpoint.json")

    @property
    def _before(self) -> StatePath:
        return self.state.with_name(f"{self.state.name}.bak")

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
            StateError: The file is missing, damaged, no state, or of another schema.
        """
        return self.parsed(self.read_content())

    def read_content(self) -> bytes:
        """Content of the state's file; it is as it was written.

        Raises:
            StateError: The file cannot be read, or has not the checksum that is noted beside it.
        """
        for _ in range(_READS):
            try:
                content = self.state.read_bytes()
            except OSError as error:
                raise self._unreadable(error) from error
            noted = self.noted_checksum()
            if noted in (None, checksum(content)):
                return content
            time.sleep(_PAUSE_SECONDS)
        raise self._unreadable(f"it has the checksum {checksum(content)}, and was written with {noted}")

    def noted_checksum(self) -> str | None:
        """Checksum of the state when it was written; None where none was noted or the note itself is damaged."""
        if not isinstance(self.state, Path) or not self.has_checksums:
            return None
        try:
            noted = json.loads(_notes(self.state).read_bytes())["md5"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return noted if isinstance(noted, str) else None

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

    def _unreadable(self, error: object) -> StateError:
        cure = f"run `altlas state recover {self.stack}`"
        if self.project != PROJECT:
            cure = f"replace it by {next(self.copies, 'one')} and remove {self.state.name}.attrs"
        return StateError(
            f"cannot read the state {self.state}: {error}. Nothing was changed. To restore it from its newest copy, "
            f"{cure}"
        )

    def check(self) -> None:
        """Check that the state can be read, or that a stack without one is new.

        Raises:
            StateError: It is damaged, or missing although the stack has a history.
        """
        if self.is_plain:
            content = self.read_content()
            if self.noted_checksum() is None:
                self.parsed(content)
        elif self.is_lost:
            raise self._unreadable("it is missing, although the stack has a history")

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
        if isinstance(self.state, BucketPath):
            with suppress(FileNotFoundError):
                self.state.copy_to(self.state.with_name(self._before.name))
        elif self.state.exists():
            write_whole(self._before, self.state.read_bytes())
        self.replace(content)

    def replace(self, content: bytes) -> None:
        """Put a state in place of the one before, which is not kept; raises OSError as `write` does."""
        write_whole(self.state, content)
        if isinstance(self.state, Path) and self.has_checksums:
            _note(self.state, content)

    def add_to_history(self, update: Mapping[str, Any], state: bytes) -> None:
        """Note an update beside the content of its state, as `pulumi stack history` reads it."""
        folder = self._folder("history") / self.stack
        beginning = f"{self.stack}-{_moment_after(folder)}"
        _keep(folder / f"{beginning}.history.json", as_json(update))
        _keep(folder / f"{beginning}.checkpoint.json", state)

    def back_up(self, state: bytes) -> None:
        """Write the state's content to the backups, as the CLI does after each update."""
        folder = self._folder("backups") / self.stack
        _keep(folder / f"{self.stack}.{_moment_after(folder)}.json", state)


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
    # Before the file: cut off between the two, it has no checksum instead of a wrong one.
    _notes(path).unlink(missing_ok=True)
    write_durably(path, content)


def checksum(content: bytes) -> str:
    """MD5 of a file's content as the CLI notes it."""
    return b64encode(md5(content, usedforsecurity=False).digest()).decode()


def _notes(path: Path) -> Path:
    """File of the notes that the CLI keeps beside a file."""
    return path.with_name(f"{path.name}.attrs")


def _note(path: Path, content: bytes) -> None:
    names = ("cache_control", "content_disposition", "content_encoding", "content_language")
    noted = {**{f"user.{name}": "" for name in names}, "user.content_type": "text/plain; charset=utf-8"}
    write_durably(_notes(path), as_json({**noted, "user.metadata": None, "md5": checksum(content)}))


def _moment(path: StatePath) -> int:
    """Moment of a copy, which is the number in its name."""
    return max((int(part) for part in path.name.replace("-", ".").split(".") if part.isdecimal()), default=0)


def _moment_after(folder: StatePath) -> int:
    """Number of the next copy: the present moment, or after the newest copy where the clock was set back meanwhile.

    A bucket is not asked, because its own clock tells the copies apart.
    """
    kept = folder.glob("*") if isinstance(folder, Path) else ()
    return max(time.time_ns(), *(_moment(path) + 1 for path in kept), 0)


def _written(path: StatePath) -> float:
    """Moment of a copy, by the bucket's clock or, in a folder, by the number in its name."""
    return path.modified().timestamp() if isinstance(path, BucketPath) else _moment(path)


def _keep(path: StatePath, content: bytes) -> None:
    """Write a file that nothing depends on."""
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
