"""A command of the CLI with a journal: what was left behind is recovered, then lock, server, command, end."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from types import MappingProxyType

from altlas.session.console import report
from altlas.session.journal.lease import kept
from altlas.session.journal.leftovers import has_deletions
from altlas.session.journal.locks import Lock, take_lock
from altlas.session.journal.login import logged_in
from altlas.session.journal.orphans import RUN_VARIABLE
from altlas.session.journal.recovery import list_creations, recover
from altlas.session.journal.server import serving
from altlas.session.journal.state_files import StackFiles
from altlas.session.transient import PAUSES_SECONDS, passing_causes

_BATCH_MILLISECONDS = "1"
"""How long the CLI collects entries. Each step waits for its batch, and loopback needs no larger ones."""


_CONTINUING: Mapping[str, str] = {"PULUMI_CONTINUE_ON_ERROR": "true"}
"""A repeated deletion does all that does not depend on a failed object: else each failure would need one more.

Not for updates: where the deletion before a replacement fails, the engine of 3.259.0 then waits for ever (its issue
16373), because it never answers the program about that resource.
"""


@dataclass(frozen=True)
class Outcome:
    """End of a command.

    Attributes:
        code: Its exit code.
        errors: What failed.
        changed: Number of resources that it has changed.
    """

    code: int
    errors: Sequence[str]
    changed: int

    @property
    def passing_causes(self) -> Sequence[str]:
        """Failures of the API server that ended the command and pass by themselves; empty if anything else failed."""
        return passing_causes(self.errors) if self.code else ()


@dataclass(frozen=True)
class Command:
    """A command that changes a stack.

    Attributes:
        files: The stack.
        run: Runs the CLI with these variables in addition to its own.
        logins: Folder for the CLI's logins, which only this user reads.
        updates: Whether the command runs the program, which may want again what the state lists for deletion. It
            then runs once more where something is left to delete.
        removes: Whether the command deletes everything.
    """

    files: StackFiles
    run: Callable[[Mapping[str, str]], int]
    logins: Path
    _: KW_ONLY
    updates: bool
    removes: bool = False

    def repeated(self) -> int:
        """Run it while nothing but passing failures of the API server end it; return its exit code.

        It is given up after a minute in which it has changed nothing.

        Raises:
            CommandError: Another process changes the stack, or a journal cannot be replayed; says what is safe.
        """
        outcome, pauses = self.once(), iter(PAUSES_SECONDS)
        while outcome.passing_causes:
            if outcome.changed:
                pauses = iter(PAUSES_SECONDS)
            seconds = next(pauses, None)
            if seconds is None:
                break
            report(f"The API server failed, which may pass ({outcome.passing_causes[0]}): goes on in {seconds} s.")
            time.sleep(seconds)
            outcome = self.once({} if self.updates else _CONTINUING)
        return outcome.code

    def once(self, variables: Mapping[str, str] = MappingProxyType({})) -> Outcome:
        """Run it.

        Raises:
            CommandError: As `repeated`.
        """
        recover_and_report(self.files)
        defers = self.updates and has_deletions(self.files.read())
        outcome = self._served(variables, defers_deletions=defers)
        if defers and not outcome.code and has_deletions(self.files.read()):
            report("Deletes what an interrupted update has left and nothing needs.")
            outcome = self._served(variables, defers_deletions=False)
        return outcome

    def _served(self, variables: Mapping[str, str], *, defers_deletions: bool) -> Outcome:
        lock = take_lock(self.files)
        try:
            if self.removes:
                list_creations(self.files)
            with (
                kept(lock) as check,
                serving(self.files, defers_deletions=defers_deletions, check=check) as server,
                logged_in(server, self.logins) as credentials,
            ):
                code = self.run(
                    {
                        **variables,
                        RUN_VARIABLE: lock.run,
                        "PULUMI_BACKEND_URL": server.url,
                        "PULUMI_CREDENTIALS_PATH": str(credentials),
                        # A token of the user's own for Pulumi Cloud would go before that login, and to this server.
                        "PULUMI_ACCESS_TOKEN": "",
                        "PULUMI_DISABLE_JOURNALING": "false",
                        "PULUMI_JOURNALING_BATCH_PERIOD": _BATCH_MILLISECONDS,
                    }
                )
                update = server.update
                return Outcome(code, update.errors if update else (), update.changed if update else 0)
        finally:
            # The CLI may have been killed: its children end, and what it had acknowledged becomes the state now.
            recover_and_report(self.files, lock)


def recover_and_report(files: StackFiles, own: Lock | None = None) -> None:
    """Recover what a crash left behind, and say so; see `recovery.recover`.

    Raises:
        CommandError: A process still holds the stack, or the journal cannot be replayed.
    """
    recovered = recover(files, own)
    if recovered:
        report(str(recovered))
