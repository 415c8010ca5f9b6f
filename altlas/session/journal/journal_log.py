"""Places of a journal: lines appended to one file, or, in a bucket, an object for each group of entries.

Owns that an appended line is stored when the call returns, and the beginning and removal as a whole. Does not own what
the lines say (`journal_file`).
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from altlas.session.journal.bucket import BucketPath, StatePath

_READERS = 16
_DIGITS = 8


class Log(Protocol):
    """A journal that is being written. One writer at a time; the lock of the stack sees to that."""

    def append(self, line: bytes) -> None:
        """Append a line; it is stored when this returns. Raises OSError; then nothing of the line counts."""

    def content(self) -> bytes:
        """All lines so far."""

    def close(self) -> None:
        """Stop writing; what was written stays."""


class FileLog:
    """Lines of one file, each synced."""

    def __init__(self, path: Path) -> None:
        """Begin; raises FileExistsError if another journal was left behind."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)

    def append(self, line: bytes) -> None:
        """Append a line; what was written of it is taken back where the disk is full."""
        end = os.lseek(self._descriptor, 0, os.SEEK_END)
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
            os.fdatasync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, end)
            raise

    def content(self) -> bytes:
        """All lines so far."""
        return self._path.read_bytes()

    def close(self) -> None:
        """Stop writing."""
        os.close(self._descriptor)


class BucketLog:
    """An object for each line, numbered below the journal's key; the first one makes the journal exist."""

    def __init__(self, path: BucketPath) -> None:
        """Begin; raises FileExistsError if another journal was left behind."""
        left = _groups(path)
        if left and left[0] == _first(path):
            raise FileExistsError(f"{path} was left behind")
        # Of a journal whose removal was cut off: without its first object it counts no more.
        _remove(left)
        self._path = path
        self._lines: list[bytes] = []

    def append(self, line: bytes) -> None:
        """Store a line as an object of its own."""
        _group(self._path, len(self._lines)).write_bytes(line)
        self._lines.append(line)

    def content(self) -> bytes:
        """All lines so far."""
        return b"".join(self._lines)

    def close(self) -> None:
        """Stop writing."""


def begin(path: StatePath) -> Log:
    """Begin a journal.

    Raises:
        FileExistsError: Another one was left behind.
        OSError: It cannot be written.
    """
    return BucketLog(path) if isinstance(path, BucketPath) else FileLog(path)


def exists(path: StatePath) -> bool:
    """True if there is a journal."""
    return (_first(path) if isinstance(path, BucketPath) else path).exists()


def content(path: StatePath) -> bytes:
    """All lines of a journal that was left behind.

    Raises:
        OSError: It cannot be read.
    """
    if isinstance(path, Path):
        return path.read_bytes()
    with ThreadPoolExecutor(_READERS) as readers:
        return b"".join(readers.map(BucketPath.read_bytes, _groups(path)))


def remove(path: StatePath) -> None:
    """Remove a journal. Cut off in the middle, it is gone all the same."""
    if isinstance(path, Path):
        path.unlink()
        return
    groups = _groups(path)
    _first(path).unlink()
    _remove(groups[1:])


def _first(path: BucketPath) -> BucketPath:
    return _group(path, 0)


def _group(path: BucketPath, number: int) -> BucketPath:
    return path / f"{number:0{_DIGITS}}"


def _groups(path: BucketPath) -> Sequence[BucketPath]:
    return sorted(path.glob("*"))


def _remove(paths: Sequence[BucketPath]) -> None:
    with ThreadPoolExecutor(_READERS) as removers:
        list(removers.map(BucketPath.unlink, paths))
