"""Ledger of a stack: an append-only file of JSON lines, each of which holds the hash of the one before it.

Owns the entries and the check of the chain. Does not own where they are stored and how two writers stay apart
(`ledger_files`), nor what the entries mean (`deployments`, `dora`). The head is a file beside the ledger with the
number of entries and the last hash: without it, entries could be cut off the end unseen. Who can write both files can
write another history; keep the head elsewhere as well, and compare it by `altlas ledger verify --head`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from altlas.release.canonical import canonical, digest
from altlas.release.ledger_files import START, Stored, files_of, parsed_head
from altlas.session.journal.bucket import StatePath, is_bucket, open_bucket
from altlas.session.workspace import Workspace, file_backend
from components.stack.problems import PROJECT
from rendering.errors import CommandError

Kind = Literal[
    "plan",
    "approve",
    "apply",
    "promote",
    "rehearse",
    "rollback",
    "restore",
    "drift",
    "override",
    "destroy",
    "freeze",
    "unfreeze",
    "canary",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
_ENDING = ".jsonl"
_TRIES = 100
"""Tries to write an entry in a bucket; each that fails is one in which another machine has written its own."""


@dataclass(frozen=True)
class LedgerEntry:
    """One line of a ledger.

    Attributes:
        number: Position, from 1.
        time: Time of the entry, in UTC, as ISO 8601 with seconds.
        kind: What was done.
        by: Who did it, as the checkout knows (`altlas.release.checkout.person`); not proven.
        body: What else is recorded; never a secret.
        previous: Hash of the entry before this one.
        hash: SHA-256 of the canonical JSON of all other fields.
    """

    number: int
    time: str
    kind: Kind
    by: str
    body: Mapping[str, Any]
    previous: str
    hash: str

    @property
    def moment(self) -> datetime:
        """Time of the entry."""
        return datetime.fromisoformat(self.time)

    @property
    def line(self) -> bytes:
        """The entry as the file holds it."""
        return canonical(asdict(self)) + b"\n"


@dataclass(frozen=True)
class Reading:
    """Content of a ledger, as far as its chain holds.

    Attributes:
        entries: Entries up to the first that is wrong.
        problem: What is wrong, with the line; empty where the whole chain holds.
        torn: Bytes of a last line that an interrupted command has left; the next entry removes them.
    """

    entries: tuple[LedgerEntry, ...]
    problem: str = ""
    torn: int = 0

    @property
    def head(self) -> str:
        """Number of entries and last hash, as the head file holds them."""
        return f"{len(self.entries)} {self.entries[-1].hash if self.entries else START}"


class Ledger:
    """The ledger of one stack.

    Args:
        path: The file, in a folder that is made with the first entry, or in a bucket.
    """

    def __init__(self, path: StatePath) -> None:
        self.path = path
        self._files = files_of(path, self.head_path)

    @property
    def head_path(self) -> StatePath:
        """File with the number of entries and the last hash."""
        return self._beside(".head")

    @property
    def archives(self) -> StatePath:
        """Folder of the archived releases."""
        return self._beside(".releases")

    def read(self) -> Reading:
        """Read and check the ledger."""
        return self._read()[0]

    def entries(self) -> tuple[LedgerEntry, ...]:
        """All entries.

        Raises:
            CommandError: The chain does not hold; names the line.
        """
        return self._whole()[0].entries

    def append(self, kind: Kind, by: str, body: Mapping[str, Any], now: datetime | None = None) -> LedgerEntry:
        """Write an entry; it is stored when this returns.

        Raises:
            CommandError: The chain does not hold; nothing was written. Or other machines write all the time.
        """
        # JSON has no tuples: what is hashed is what will be read.
        plain = json.loads(json.dumps(body))
        tried: LedgerEntry | None = None
        with self._files.locked():
            for _ in range(_TRIES):
                reading, stored = self._whole()
                if tried is not None and tried in reading.entries:
                    # The answer to the write was lost, and its repetition was refused.
                    return self._completed(reading, tried)
                if stored.head.strip() != reading.head.encode("ascii"):
                    self._files.set_head(reading.head)
                time = (now or datetime.now(UTC)).isoformat(timespec="seconds")
                previous = reading.entries[-1].hash if reading.entries else START
                tried = _sealed(LedgerEntry(len(reading.entries) + 1, time, kind, by, plain, previous, ""))
                if self._files.append(stored, len(stored.content) - reading.torn, tried.line):
                    return self._completed(Reading((*reading.entries, tried)), tried)
        raise CommandError(f"other machines wrote to the ledger {self.path} {_TRIES} times in a row; try again")

    def _completed(self, reading: Reading, entry: LedgerEntry) -> LedgerEntry:
        self._files.set_head(reading.head)
        return entry

    def _whole(self) -> tuple[Reading, Stored]:
        """The ledger, if its chain holds."""
        found, stored = self._read()
        if found.problem:
            raise CommandError(
                f"the ledger {self.path} is damaged: {found.problem}. Nothing was changed. Look at it by `altlas "
                f"ledger verify`; restore the file and its head {self.head_path.name} from a copy, or move both away "
                "to begin a new one"
            )
        return found, stored

    def _read(self) -> tuple[Reading, Stored]:
        """The ledger; a problem counts where both files stay as they are, and no other command writes between."""
        before, stored = None, self._files.read()
        found = _reading(stored)
        while found.problem and stored != before:
            before, stored = stored, self._files.read()
            found = _reading(stored)
        return found, stored

    def _beside(self, ending: str) -> StatePath:
        return self.path.with_name(f"{self.path.name.removesuffix(_ENDING)}{ending}")


def ledger_of(workspace: Workspace, stack: str, outside: Mapping[str, str]) -> Ledger:
    """The ledger of a stack: beside the state in a folder or a bucket, in the checkout for other backends.

    Raises:
        CommandError: The name cannot be the name of a stack, so it would lead out of the folder. Or the address or the
            credentials of the bucket are not complete.
    """
    workspace.stack_file(stack)
    url = outside.get("PULUMI_BACKEND_URL", "")
    folder: StatePath
    if is_bucket(url):
        folder = open_bucket(url, outside)
    else:
        folder = file_backend(url) or (workspace.private if url else workspace.state)
    return Ledger(folder / "ledger" / PROJECT / f"{stack}{_ENDING}")


def _sealed(entry: LedgerEntry) -> LedgerEntry:
    fields = asdict(entry)
    del fields["hash"]
    return LedgerEntry(**fields, hash=digest(fields))


def _reading(stored: Stored) -> Reading:
    whole, torn = stored.content.rpartition(b"\n")[0::2]
    found = _checked(whole.split(b"\n") if whole else [])
    return found if found.problem else Reading(found.entries, _head_problem(stored.head, found.entries), len(torn))


def _head_problem(head: bytes, entries: Sequence[LedgerEntry]) -> str:
    parsed = parsed_head(head)
    if parsed is None:
        return "the head is damaged: it does not hold a number and a hash"
    (known, last), number = parsed, len(entries)
    if known > number:
        return (
            f"entries {number + 1} to {known} are missing at the end"
            if known > number + 1
            else (f"entry {known} is missing at the end")
        )
    # A command that was killed between the entry and the head leaves one entry more.
    if number > known + 1:
        return f"line {known + 2} and those after it were added without the head"
    if (entries[known - 1].hash if known else START) != last:
        return f"line {known} was replaced: its hash is not the one of the head"
    return ""


def _checked(lines: Sequence[bytes]) -> Reading:
    """Entries of the lines up to the first that is wrong."""
    parsed = [_parsed(line) for line in lines]
    numbers = [entry.number if entry else None for entry in parsed]
    good: list[LedgerEntry] = []
    for number, entry in enumerate(parsed, 1):
        problem = _problem(number, entry, good, numbers)
        if problem or entry is None:
            return Reading(tuple(good), problem)
        good.append(entry)
    return Reading(tuple(good))


def _problem(number: int, entry: LedgerEntry | None, good: Sequence[LedgerEntry], numbers: Sequence[int | None]) -> str:
    if entry is None:
        return f"line {number} was changed: its content does not have its hash"
    if entry.number != number:
        if number in numbers:
            return (
                f"line {number} holds entry {entry.number}: lines {number} and {numbers.index(number) + 1} were swapped"
            )
        return f"line {number} holds entry {entry.number}: entry {number} was cut out"
    if entry.previous != (good[-1].hash if good else START):
        return f"line {number} does not follow line {number - 1}: one of the two was replaced"
    return ""


def _parsed(line: bytes) -> LedgerEntry | None:
    """The entry of a line; None where it is not an entry with its own hash."""
    try:
        entry = LedgerEntry(**json.loads(line))
        return entry if entry.line == line + b"\n" and _sealed(entry).hash == entry.hash else None
    except (ValueError, TypeError, RecursionError):
        return None
