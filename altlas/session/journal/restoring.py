"""Restoring of a damaged or lost state from the copies that each update leaves in history and backups."""

import time
from dataclasses import dataclass
from pathlib import Path

from altlas.session.journal.bucket import StatePath
from altlas.session.journal.locks import check_free
from altlas.session.journal.recovery import refresh
from altlas.session.journal.state_files import StackFiles, StateError, checksum, write_whole
from rendering.errors import CommandError, ExitCode


@dataclass(frozen=True)
class RestoredState:
    """A state that was put in place of a damaged or lost one.

    Attributes:
        source: The copy.
        kept: The damaged file under its new name; None where there was none.
    """

    source: StatePath
    kept: StatePath | None

    def __str__(self) -> str:
        text = f"restored the state from its copy {self.source}"
        return f"{text}; the damaged one is kept as {self.kept}" if self.kept else text


def restore(files: StackFiles, source: str | None = None) -> RestoredState | None:
    """Put a sound copy in place of a damaged or lost state; None where the state is sound and no copy is named.

    Without a named copy only the one with the noted checksum is taken: it is the state that was last written.

    Args:
        files: The stack.
        source: Path of a copy.

    Raises:
        CommandError: A process changes the stack, no copy is known to be the last state, or the named one is none.
    """
    check_free(files)
    if source is not None:
        copy, content = _named(files, source)
        return _put(files, copy, content)
    try:
        files.check()
    except StateError as error:
        noted = files.noted_checksum()
        for copy in files.copies if noted else ():
            if checksum(content := copy.read_bytes()) == noted:
                return _put(files, copy, content)
        raise StateError(_choice(files, error)) from error
    return None


def _named(files: StackFiles, source: str) -> tuple[StatePath, bytes]:
    copy = next((each for each in files.copies if str(each) == source), Path(source))
    try:
        content = copy.read_bytes()
        files.parsed(content)
    except (OSError, StateError) as error:
        raise CommandError(f"{source} is no sound copy of a state. Nothing was changed", ExitCode.BAD_INPUT) from error
    return copy, content


def _put(files: StackFiles, copy: StatePath, content: bytes) -> RestoredState:
    kept = None
    if files.exists:
        kept = files.state.with_name(f"{files.state.name}.damaged-{time.time_ns()}")
        write_whole(kept, files.state.read_bytes())
    files.replace(content)
    return RestoredState(copy, kept)


def _choice(files: StackFiles, error: StateError) -> str:
    """Message where no copy is known to be the last state."""
    for copy in files.copies:
        try:
            files.parsed(copy.read_bytes())
        except StateError:
            continue
        return (
            f"the state {files.state} is damaged or missing, and no copy is known to be the last one. The newest sound "
            f"copy is {copy}. To go on with it, run `altlas state recover {files.stack} --from {copy}`, then "
            f"{refresh(files.stack)}, which reads from the cluster what changed since. Nothing was changed"
        )
    return (
        f"the state {files.state} is damaged or missing, and no sound copy is left ({error.__cause__ or error}). "
        "Restore the folder from a backup of this machine. Nothing was changed"
    )
