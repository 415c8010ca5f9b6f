"""Pulumi CLI for a stack, in the environment that `altlas.session.environment` makes."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from altlas.session.interruption import until_its_end
from altlas.session.journal.bucket import is_bucket, open_bucket
from altlas.session.journal.locks import locks_of
from altlas.session.journal.restoring import RestoredState, restore
from altlas.session.journal.run import Command, recover_and_report
from altlas.session.journal.state_files import StackFiles
from altlas.session.workspace import file_backend
from components.stack.problems import PROJECT
from rendering.errors import CommandError, InterruptedCommandError

_PASSING_STATE = re.compile(r"@ |.* (creat|updat|delet|replac|read)ing \(\d+s\)")

_CHANGING = frozenset({"up", "destroy", "refresh", "import"})
"""Commands that change the state of a stack, and the cluster."""


@dataclass(frozen=True)
class Engine:
    """The Pulumi CLI in the folder of the program.

    Attributes:
        root: Folder of Pulumi.yaml.
        variables: Result of `altlas.session.environment.environment`.
        project: Name in Pulumi.yaml.
        hide: Filter of each line that a run in the foreground shows, also of those about errors.
    """

    root: Path
    variables: Mapping[str, str]
    project: str = PROJECT
    hide: Callable[[str], str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of a Pulumi process."""
        return {**os.environ, **self.variables}

    def filtered(self, hide: Callable[[str], str]) -> "Engine":
        """The same engine, whose runs in the foreground show each line through a filter, and no display."""
        return replace(self, hide=hide)

    def run(self, *arguments: str) -> int:
        """Run a command in the foreground and return its exit code.

        On a terminal Pulumi draws its own display. Elsewhere lines about steps in progress are left out of the log.
        A command that changes a stack of the file backend is journaled: its steps are appended to a file, and the
        state is written once, at the end, in the form in which plain Pulumi reads it.

        Raises:
            CommandError: The command was interrupted, and Pulumi has ended in order; another process changes the stack;
                or a journal was left behind that cannot be replayed.
        """
        terminal = sys.stdout.isatty() and self.hide is None

        def run(variables: Mapping[str, str]) -> int:
            return self._in_foreground(arguments, variables, terminal=terminal)

        self._check_state(arguments)
        files = self._stack_files(arguments)
        # With --remove the command ends by removing the stack, which is the backend's own affair.
        if files is None or not files.is_plain or arguments[0] not in _CHANGING or "--remove" in arguments:
            return run({})
        # A sealed plan says exactly what is done, deletions included; an update of single objects deletes no others.
        updates = arguments[0] == "up" and not {"--plan", "--target"} & {*arguments}
        command = Command(
            files, run, self.root / ".altlas" / "logins", updates=updates, removes=arguments[0] == "destroy"
        )
        return command.repeated() if "--plan" not in arguments else command.once().code

    def _in_foreground(self, arguments: Sequence[str], variables: Mapping[str, str], *, terminal: bool) -> int:
        with subprocess.Popen(
            ["pulumi", *arguments],
            cwd=self.root,
            env={**self.environment, **variables},
            stdin=None if terminal else subprocess.DEVNULL,
            stdout=None if terminal else subprocess.PIPE,
            stderr=subprocess.STDOUT if self.hide else None,
            text=True,
            # A terminal interrupts its whole process group; elsewhere one interruption must not reach Pulumi twice,
            # because the second one makes it leave its lock and what it had begun.
            process_group=None if terminal else 0,
        ) as process:
            interrupted = until_its_end(process, lambda: _print_log(process, self.hide), tell=not terminal)
        if interrupted:
            raise InterruptedCommandError(
                "interrupted: Pulumi has finished what it had begun; the same command continues"
            )
        return process.returncode

    def _stack_files(self, arguments: Sequence[str]) -> StackFiles | None:
        """Files of the stack that a command is about, where the state is in a folder or a bucket."""
        url = self.environment.get("PULUMI_BACKEND_URL", "")
        backend = open_bucket(url, self.environment) if is_bucket(url) else file_backend(url)
        if backend is None or "--stack" not in arguments:
            return None
        stack = arguments[arguments.index("--stack") + 1]
        return StackFiles(backend, self.project, stack, "metadata=skip" not in url)

    def _check_state(self, arguments: Sequence[str]) -> None:
        """Check that a state in a folder is not damaged or lost. Of a bucket that would cost requests."""
        if is_bucket(self.environment.get("PULUMI_BACKEND_URL", "")):
            return
        files = self._stack_files(arguments)
        if files is not None:
            files.check()

    def capture(self, *arguments: str, text: str | None = None) -> str:
        """Run a command and return its standard output.

        Args:
            arguments: The command line after `pulumi`.
            text: Standard input; secrets go this way, because other users can see command lines.

        Raises:
            CommandError: The command failed; holds its output.
        """
        done = self._quietly(arguments, text)
        if done.returncode:
            raise _failure(arguments, done)
        return done.stdout

    def preview(self, stack: str, *options: str) -> Mapping[str, Any]:
        """Plan of an update, also where the engine refuses it: its diagnostics hold the reason.

        Args:
            stack: The stack.
            options: More options of `pulumi preview`.

        Raises:
            CommandError: The engine printed no plan; holds its output.
        """
        arguments = self.arguments("preview", stack, ("--json", *options))
        done = self._quietly(arguments, None)
        try:
            plan: Mapping[str, Any] = json.loads(done.stdout)
        except json.JSONDecodeError:
            raise _failure(arguments, done) from None
        return plan

    def _quietly(self, arguments: Sequence[str], text: str | None) -> subprocess.CompletedProcess[str]:
        self._check_state(arguments)
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.root,
            env=self.environment,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            check=False,
        )

    def stack_exists(self, stack: str) -> bool:
        """Tell whether the backend knows the stack.

        Raises:
            CommandError: Its state is damaged or gone.
        """
        files = self._stack_files(("--stack", stack))
        if files is not None:
            # The CLI would read every stack, which takes most of a second.
            if isinstance(files.backend, Path) or not files.exists:
                files.check()
            return files.exists
        listed = json.loads(self.capture("stack", "ls", "--json"))
        return any(entry["name"].rpartition("/")[2] == stack for entry in listed)

    def create_stack(self, stack: str) -> None:
        """Create the stack in the backend. Pulumi writes the encryption salt of its secrets into the stack file."""
        self.capture("stack", "init", stack, "--no-select")

    def check_unlocked(self, stack: str) -> None:
        """Recover what a killed update of the stack has left, its lock included.

        Raises:
            CommandError: An update of the stack is running, or what was left cannot be recovered. Nothing was changed.
        """
        files = self._stack_files(("--stack", stack))
        if files is not None:
            recover_and_report(files)

    def restore_state(self, stack: str, source: str | None) -> RestoredState | None:
        """Put a sound copy in place of a damaged or lost state; see `restore`.

        Raises:
            CommandError: There is none, or an update of the stack runs.
        """
        files = self._stack_files(("--stack", stack))
        if files is None or not (files.is_plain or files.is_lost):
            return None
        return restore(files, source)

    def exported_state(self, stack: str) -> Mapping[str, Any]:
        """The state of a stack, secrets encrypted; empty where the backend does not know the stack.

        What a crash left behind is recovered first, unless an update of the stack runs.

        Raises:
            CommandError: The state cannot be read, or a journal cannot be replayed.
        """
        if not self.stack_exists(stack):
            return {}
        files = self._stack_files(("--stack", stack))
        if files is None or not files.is_plain:
            state: Mapping[str, Any] = json.loads(self.capture("stack", "export", "--stack", stack))
            return state
        if all(lock.is_dead for lock in locks_of(files)):
            recover_and_report(files)
        read = files.read()
        return {"version": read.version, "deployment": read.body}

    def arguments(self, command: str, stack: str, options: Sequence[str] = ()) -> tuple[str, ...]:
        """Command line of a command on a stack."""
        return (command, "--stack", stack, *options)


def _print_log(process: subprocess.Popen[str], hide: Callable[[str], str] | None) -> None:
    for line in process.stdout or ():
        if not _PASSING_STATE.match(line):
            print(hide(line) if hide else line, end="", flush=True)  # noqa: T201  # passes on what Pulumi prints


def _failure(arguments: Sequence[str], done: subprocess.CompletedProcess[str]) -> CommandError:
    return CommandError(f"`pulumi {' '.join(arguments)}` failed: {(done.stderr or done.stdout).strip()}")
