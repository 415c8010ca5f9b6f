"""A command of the CLI with a journal: what was left behind is recovered, then lock, server, command, end."""

from collections.abc import Callable, Mapping
from pathlib import Path

from altlas.session.console import report
from altlas.session.journal.lease import kept
from altlas.session.journal.leftovers import has_deletions
from altlas.session.journal.locks import Lock, take_lock
from altlas.session.journal.login import logged_in
from altlas.session.journal.orphans import RUN_VARIABLE
from altlas.session.journal.recovery import recover
from altlas.session.journal.server import serving
from altlas.session.journal.state_files import StackFiles

_BATCH_MILLISECONDS = "1"
"""How long the CLI collects entries. Each step waits for its batch, and loopback needs no larger ones."""


def journaled(files: StackFiles, run: Callable[[Mapping[str, str]], int], logins: Path, *, updates: bool) -> int:
    """Run a command that changes a stack, and return its exit code.

    Args:
        files: The stack.
        run: Runs the CLI with these variables in addition to its own.
        logins: Folder for the CLI's logins, which only this user reads.
        updates: Whether the command runs the program, which may want again what the state lists for deletion. It
            then runs once more where something is left to delete.

    Raises:
        CommandError: Another process changes the stack, or a journal cannot be replayed; says what is safe.
    """
    recover_and_report(files)
    defers = updates and has_deletions(files.read())
    code = _run(files, run, logins, defers_deletions=defers)
    if defers and not code and has_deletions(files.read()):
        report("Deletes what an interrupted update has left and nothing needs.")
        code = _run(files, run, logins, defers_deletions=False)
    return code


def _run(files: StackFiles, run: Callable[[Mapping[str, str]], int], logins: Path, *, defers_deletions: bool) -> int:
    lock = take_lock(files)
    try:
        with (
            kept(lock) as check,
            serving(files, defers_deletions=defers_deletions, check=check) as server,
            logged_in(server, logins) as credentials,
        ):
            return run(
                {
                    RUN_VARIABLE: lock.run,
                    "PULUMI_BACKEND_URL": server.url,
                    "PULUMI_CREDENTIALS_PATH": str(credentials),
                    "PULUMI_DISABLE_JOURNALING": "false",
                    "PULUMI_JOURNALING_BATCH_PERIOD": _BATCH_MILLISECONDS,
                }
            )
    finally:
        # The CLI may have been killed: its children end, and what it had acknowledged becomes the state now.
        recover_and_report(files, lock)


def recover_and_report(files: StackFiles, own: Lock | None = None) -> None:
    """Recover what a crash left behind, and say so; see `recovery.recover`.

    Raises:
        CommandError: A process still holds the stack, or the journal cannot be replayed.
    """
    recovered = recover(files, own)
    if recovered:
        report(str(recovered))
