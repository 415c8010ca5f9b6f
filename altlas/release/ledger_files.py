"""Files of a ledger, its lines and its head: in the folder of a file backend, or in the bucket of a state.

Owns how writers at the same time stay apart. In a folder a lock of the system lets one in after the other. In a bucket
each write names the version that it replaces, and is refused where another machine was first. Does not own what the
lines say (`ledger`).
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from altlas.session.durable_file import write_durably
from altlas.session.journal.bucket import BucketPath, StatePath
from rendering.errors import CommandError

if TYPE_CHECKING:
    from obstore import UpdateVersion

START = "0" * 64
"""Hash before the first entry, where there is none."""

_HEAD = re.compile(rb"(\d{1,15}) ([0-9a-f]{64})\s*")
_NO_HEAD = f"0 {START}".encode("ascii")
_NO_VERSION: "UpdateVersion" = {"e_tag": '"none"', "version": "1"}
"""Version that no object has."""


@dataclass(frozen=True)
class Stored:
    """Both files as they were read: the head first, so that it names no entry that was written after the lines.

    Attributes:
        head: Content of the head, which can be damaged.
        content: Lines.
        version: Version of the lines in a bucket; None in a folder, and where there are none yet.
    """

    head: bytes
    content: bytes
    version: "UpdateVersion | None" = None


def parsed_head(content: bytes) -> tuple[int, str] | None:
    """Number of entries and last hash; None if the content of a head is damaged."""
    found = _HEAD.fullmatch(content)
    return (int(found[1]), found[2].decode("ascii")) if found else None


class FolderFiles:
    """Files in a folder, which is made with the first entry.

    Args:
        lines: File of the lines.
        head: File of the head.
    """

    def __init__(self, lines: Path, head: Path) -> None:
        self._lines = lines
        self._head = head

    def read(self) -> Stored:
        """Read both files."""
        head = self._head.read_bytes() if self._head.exists() else _NO_HEAD
        return Stored(head, self._lines.read_bytes() if self._lines.exists() else b"")

    def append(self, before: Stored, known: int, line: bytes) -> bool:
        """Append a line behind the first `known` bytes; it is on the disk when this returns True."""
        del before
        with os.fdopen(os.open(self._lines, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
            file.truncate(known)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        return True

    def set_head(self, head: str) -> None:
        """Replace the head."""
        write_durably(self._head, f"{head}\n".encode("ascii"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other writers out."""
        self._lines.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._lines.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class BucketFiles:
    """Files in a bucket. Every method raises OSError if it cannot be reached.

    Args:
        lines: Object of the lines.
        head: Object of the head.
    """

    def __init__(self, lines: BucketPath, head: BucketPath) -> None:
        self._lines = lines
        self._head = head

    def read(self) -> Stored:
        """Read both files."""
        head, known = _found(self._head)
        content, version = _found(self._lines)
        return Stored(head if known is not None else _NO_HEAD, content, version)

    def append(self, before: Stored, known: int, line: bytes) -> bool:
        """Append a line behind the first `known` bytes; False, and nothing is written, if another writer was first.

        Raises:
            CommandError: The server of the bucket takes no notice of conditions, so entries could be lost.
        """
        written = self._lines.write_over(before.version, before.content[:known] + line)
        if written and before.version is None:
            self._check_conditions(line)
        return written

    def set_head(self, head: str) -> None:
        """Replace the head, unless another writer has set a later one."""
        while True:
            content, version = _found(self._head)
            if (known := parsed_head(content)) and known[0] >= int(head.partition(" ")[0]):
                return
            if self._head.write_over(version, f"{head}\n".encode("ascii")):
                return

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep nobody out: a bucket has no locks that end with a process."""
        yield

    def _check_conditions(self, line: bytes) -> None:
        """Try once, with the first entry, that a write with a wrong condition is refused."""
        if self._lines.write_over(None, line) or self._lines.write_over(_NO_VERSION, line):
            self._lines.unlink()
            raise CommandError(
                f"the server of the bucket of {self._lines} does not heed the conditions of a write (If-Match and "
                "If-None-Match), so that entries of two machines could replace each other. Nothing was changed. Use a "
                "bucket of a server that heeds them"
            )


LedgerFiles = FolderFiles | BucketFiles


def files_of(lines: StatePath, head: StatePath) -> LedgerFiles:
    """Files at their places, which are in one folder or in one bucket."""
    if isinstance(lines, BucketPath) and isinstance(head, BucketPath):
        return BucketFiles(lines, head)
    return FolderFiles(Path(str(lines)), Path(str(head)))


def _found(path: BucketPath) -> "tuple[bytes, UpdateVersion | None]":
    try:
        return path.read_version()
    except FileNotFoundError:
        return b"", None
