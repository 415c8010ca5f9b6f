"""Journal: a line that says what it belongs to, then a line for each batch of entries.

Owns what the lines say and what a cut one means. Does not own where they are stored (`journal_log`) nor the meaning of
entries (`replay`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any
from zlib import crc32

from altlas.session.journal import journal_log
from altlas.session.journal.bucket import StatePath
from altlas.session.journal.replay import JournalError, Kind, Replay, StackState
from altlas.session.journal.state_files import as_json

_ENDS = frozenset({Kind.SUCCESS, Kind.FAILURE, Kind.REFRESH_SUCCESS})
FORMAT = 2
"""Version of the file. Since 2 each line but the first ends with a blank and the CRC-32 of what stands before it."""

_KNOWN = (1, FORMAT)


@dataclass(frozen=True)
class Heading:
    """First line of a journal.

    Attributes:
        stack: Project and stack, such as `alt-las/alpha`.
        base: SHA-256 of the state file that the entries start from.
        cli_version: Version of the CLI that writes them.
        kind: `update`, `destroy`, `refresh` or `import`.
        started: Unix seconds.
        defers_deletions: Whether the engine did not see what the base lists for deletion.
        format: Version of this line.
    """

    stack: str
    base: str
    cli_version: str
    kind: str
    started: int
    defers_deletions: bool = False
    format: int = FORMAT


class JournalWriter:
    """A journal that is being written. One writer at a time; the lock of the stack sees to that."""

    def __init__(self, path: StatePath, heading: Heading) -> None:
        """Begin a journal.

        Raises:
            FileExistsError: Another one was left behind.
            OSError: The folder or bucket cannot be written.
        """
        self._path = path
        self._log = journal_log.begin(path)
        self._log.append(as_json(asdict(heading)) + b"\n")

    def append(self, batch: bytes) -> None:
        """Append a batch of entries, a JSON document without line breaks; it is stored when this returns.

        Raises:
            OSError: The disk is full or the bucket refuses; what was written of this batch is taken back.
        """
        self._log.append(line_of(batch.replace(b"\n", b" ")))

    def announce(self, result: str) -> None:
        """Note the SHA-256 of the state that is about to be written, so that a journal is never replayed twice."""
        self.append(as_json({"result": result}))

    def written(self) -> "Journal | None":
        """The journal so far; see `read_journal`."""
        return _read(self._log.content(), self._path)

    def close(self) -> None:
        """Stop writing; what was written stays."""
        self._log.close()


@dataclass(frozen=True)
class Journal:
    """A journal as read from its file.

    Attributes:
        heading: Its first line.
        batches: Batches of entries, in order. A last line that was cut is left out: the engine got no answer for it.
    """

    heading: Heading
    batches: Sequence[Mapping[str, Any]]

    @property
    def entries(self) -> Sequence[Mapping[str, Any]]:
        """All entries, in order."""
        return [entry for batch in self.batches for entry in batch.get("entries") or ()]

    @property
    def failed(self) -> Sequence[Mapping[str, Any]]:
        """Operations that failed."""
        begun = self._begun
        ended = (begun.get(one["operationID"]) for one in self.entries if one["kind"] == Kind.FAILURE)
        return [operation for operation in ended if operation]

    @property
    def cut_off(self) -> Sequence[Mapping[str, Any]]:
        """Operations that began and have no end."""
        ended = {one["operationID"] for one in self.entries if one["kind"] in _ENDS}
        return [operation for number, operation in self._begun.items() if operation and number not in ended]

    @property
    def _begun(self) -> dict[int, Mapping[str, Any] | None]:
        return {one["operationID"]: one.get("operation") for one in self.entries if one["kind"] == Kind.BEGIN}

    @property
    def result(self) -> str | None:
        """SHA-256 of the state that was written from this journal, where it came that far."""
        return next((batch["result"] for batch in self.batches if "result" in batch), None)

    def replayed(self, base: StackState) -> StackState:
        """The state after all entries.

        Raises:
            JournalError: An entry cannot be replayed.
        """
        replay = Replay(base.body, self.heading.cli_version)
        for entry in self.entries:
            replay.add(entry)
        return replay.deployment()


def read_journal(path: StatePath) -> Journal | None:
    """Read a journal; None for one that was cut in its first line, so that it holds nothing.

    Raises:
        JournalError: A line is damaged, or the file is of a newer program.
        OSError: It cannot be read.
    """
    return _read(journal_log.content(path), path)


def _read(content: bytes, path: StatePath) -> Journal | None:
    *lines, cut = content.split(b"\n")
    if not lines and not b'{"stack":'.startswith(cut[:9]):
        raise JournalError(f"line 1 of {path} is damaged")
    if not lines:
        return None
    first = _parsed(lines[0], 1, path)
    found = first.get("format") if isinstance(first, dict) else None
    if found not in _KNOWN:
        raise JournalError(f"{path} has the format {found}, known is {FORMAT}; use the altlas that wrote it")
    if found == FORMAT:
        lines = [lines[0], *(_checked(line, number, path) for number, line in enumerate(lines[1:], start=2))]
        if _is_whole(cut[:-1]):
            raise JournalError(f"line {len(lines) + 1} of {path} is damaged: its end is")
    documents = [first, *(_parsed(line, number, path) for number, line in enumerate(lines[1:], start=2))]
    try:
        return Journal(Heading(**first), documents[1:])
    except TypeError as error:
        raise JournalError(f"line 1 of {path} is damaged: {error}") from error


def line_of(batch: bytes) -> bytes:
    """Line of a batch, with its checksum."""
    return b"%b %08x\n" % (batch, crc32(batch))


def _is_whole(line: bytes) -> bool:
    text, _, mark = line.rpartition(b" ")
    return mark == b"%08x" % crc32(text)


def _checked(line: bytes, number: int, path: StatePath) -> bytes:
    if not _is_whole(line):
        raise JournalError(f"line {number} of {path} is damaged: its checksum is another one")
    return line.rpartition(b" ")[0]


def _parsed(line: bytes, number: int, path: StatePath) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise JournalError(f"line {number} of {path} is damaged: {error}") from error


def digest(content: bytes) -> str:
    """SHA-256 of a state file's content, by which a journal knows its base and its result."""
    return sha256(content).hexdigest()
