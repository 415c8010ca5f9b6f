"""Recovery of a journal that a crash left behind: the state is made whole before anything else happens."""

from collections.abc import Sequence
from dataclasses import dataclass

from altlas.session.journal import journal_log
from altlas.session.journal.journal_file import Journal, digest, read_journal
from altlas.session.journal.leftovers import (
    with_creations_listed,
    with_cut_off_operations,
    with_deletions,
    without_deletions,
)
from altlas.session.journal.locks import Lock, check_free, take_lock
from altlas.session.journal.orphans import end_processes
from altlas.session.journal.references import broken_reference
from altlas.session.journal.replay import JournalError, StackState
from altlas.session.journal.state_files import StackFiles, StateError
from rendering.errors import CommandError


@dataclass(frozen=True)
class Recovered:
    """Content of a journal that was replayed.

    Attributes:
        kind: What was cut off: `update`, `destroy` ...
        entries: Entries that were replayed.
        in_flight: Names of resources of which nobody knows whether their operation took place.
    """

    kind: str
    entries: int
    in_flight: tuple[str, ...]

    def __str__(self) -> str:
        text = f"recovered the state from the journal of an interrupted {self.kind}: {self.entries} entries"
        if self.in_flight:
            text += f"; in flight when it ended: {', '.join(self.in_flight)}"
        return text


def recover(files: StackFiles, own: Lock | None = None) -> Recovered | None:
    """Replay a journal that was left behind, write the state, and free the locks of processes that have ended.

    Args:
        files: The stack.
        own: Lock of this process, whose run is over; it is freed, too, once the state is whole.

    Raises:
        CommandError: A process still holds the stack, or the journal is damaged or belongs to another state.
    """
    left = check_free(files, own)
    if own is not None:
        return _recovered(files, left)
    if not left and not journal_log.exists(files.journal):
        return None
    # Two commands may find the same leftovers at once.
    lock = take_lock(files)
    try:
        return _recovered(files, left)
    finally:
        lock.path.unlink()


def list_creations(files: StackFiles) -> None:
    """Let a removal of the stack delete what an interrupted update may have created; the caller holds the lock.

    Raises:
        OSError: The state cannot be written; it is untouched.
    """
    found = files.read()
    if (listed := with_creations_listed(found)) is not found:
        files.write(files.content(listed))


def _recovered(files: StackFiles, left: Sequence[Lock]) -> Recovered | None:
    for lock in left:
        end_processes(lock.run)
    recovered = _replayed(files) if journal_log.exists(files.journal) else None
    for lock in left:
        lock.path.unlink(missing_ok=True)
    return recovered


def _replayed(files: StackFiles) -> Recovered | None:
    try:
        journal = read_journal(files.journal)
        content = files.read_content()
        found = digest(content)
        if journal is None or not journal.entries or journal.result == found:
            journal_log.remove(files.journal)
            return None
        if found != journal.heading.base:
            raise JournalError("the state has moved on since it was begun")
        files.write(files.content(finished(journal, files.parsed(content))))
    except StateError:
        raise
    except (JournalError, OSError) as error:
        raise CommandError(_unusable(files, error)) from error
    journal_log.remove(files.journal)
    in_flight = tuple(one["resource"]["urn"].rpartition("::")[2] for one in journal.cut_off)
    return Recovered(journal.heading.kind, len(journal.entries), in_flight)


def finished(journal: Journal, base: StackState) -> StackState:
    """The state after a journal.

    Raises:
        JournalError: An entry cannot be replayed, or the engine would refuse to read the result.
    """
    seen = without_deletions(base) if journal.heading.defers_deletions else base
    deployment = journal.replayed(seen)
    before = {one["resource"]["urn"] for one in base.pending}
    decided = {entry["state"]["urn"] for entry in journal.entries if entry.get("state")} & before
    deployment = with_cut_off_operations(deployment, journal.failed, decided, base)
    if journal.heading.defers_deletions:
        deployment = with_deletions(deployment, base)
    broken = broken_reference(deployment.body)
    if broken:
        raise JournalError(f"the state after it would be refused by Pulumi: {broken}")
    return deployment


def _unusable(files: StackFiles, error: Exception) -> str:
    return (
        f"the journal of an interrupted update cannot be replayed: {error}. Nothing was changed. To go on without it: "
        f"move {files.journal} away, then run {refresh(files.stack)}, which reads from the cluster what it knew"
    )


def refresh(stack: str) -> str:
    """Command line that brings a state to what the cluster has."""
    return f'`eval "$(altlas env)"; pulumi refresh --stack {stack}`'
