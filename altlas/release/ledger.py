"""Ledger of a stack: an append-only file of JSON lines, each of which holds the hash of the one before it.

Owns the file, its lock, its head and the check of the chain. Does not own what the entries mean (`deployments`,
`dora`). The head is a file beside the ledger with the number of entries and the last hash: without it, entries could
be cut off the end unseen. Who can write both files can write another history; keep the head elsewhere as well, and
compare it by `altlas ledger verify --head`.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from altlas.release.canonical import canonical, digest
from altlas.session.durable_file import write_durably
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
]
KINDS: tuple[Kind, ...] = get_args(Kind)
START = "0" * 64
"""Hash before the first entry, where there is none."""


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
        path: The file; its folder is made with the first entry.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def head_path(self) -> Path:
        """File with the number of entries and the last hash."""
        return self.path.with_suffix(".head")

    def read(self) -> Reading:
        """Read and check the ledger."""
        content = self.path.read_bytes() if self.path.exists() else b""
        whole, torn = content.rpartition(b"\n")[0::2]
        found = _checked(whole.split(b"\n") if whole else [])
        if not found.problem:
            found = Reading(found.entries, self._head_problem(found.entries), len(torn))
        return found

    def entries(self) -> tuple[LedgerEntry, ...]:
        """All entries.

        Raises:
            CommandError: The chain does not hold; names the line.
        """
        found = self.read()
        if found.problem:
            raise CommandError(
                f"the ledger {self.path} is damaged: {found.problem}. Nothing was changed. Look at it by `altlas "
                "ledger verify`; restore the file and its head from a copy, or move both away to begin a new one"
            )
        return found.entries

    def append(self, kind: Kind, by: str, body: Mapping[str, Any], now: datetime | None = None) -> LedgerEntry:
        """Write an entry; it is on the disk when this returns.

        Raises:
            CommandError: The chain does not hold; nothing was written.
        """
        with self._locked():
            entries = self.entries()
            # JSON has no tuples: what is hashed is what will be read.
            plain = json.loads(json.dumps(body))
            time = (now or datetime.now(UTC)).isoformat(timespec="seconds")
            previous = entries[-1].hash if entries else START
            entry = _sealed(LedgerEntry(len(entries) + 1, time, kind, by, plain, previous, ""))
            known = sum(len(each.line) for each in entries)
            with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
                file.truncate(known)
                file.write(entry.line)
                file.flush()
                os.fsync(file.fileno())
            write_durably(self.head_path, f"{Reading((*entries, entry)).head}\n".encode("ascii"))
        return entry

    def _head_problem(self, entries: Sequence[LedgerEntry]) -> str:
        count, last = (self.head_path.read_text("ascii") if self.head_path.exists() else f"0 {START}").split()
        known, number = int(count), len(entries)
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

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def ledger_of(workspace: Workspace, stack: str, outside: Mapping[str, str]) -> Ledger:
    """The ledger of a stack: beside the state of a file backend, else in the checkout.

    Raises:
        CommandError: The name cannot be the name of a stack, so it would lead out of the folder.
    """
    workspace.stack_file(stack)
    url = outside.get("PULUMI_BACKEND_URL", "")
    folder = file_backend(url) or (workspace.private if url else workspace.state)
    return Ledger(folder / "ledger" / PROJECT / f"{stack}.jsonl")


def _sealed(entry: LedgerEntry) -> LedgerEntry:
    fields = asdict(entry)
    del fields["hash"]
    return LedgerEntry(**fields, hash=digest(fields))


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
    except (ValueError, TypeError):
        return None
