"""Consent of a person to a change of a cluster. All questions are asked here, before anything is changed."""

import sys
from dataclasses import dataclass

import typer

from rendering.errors import CommandError, ExitCode


@dataclass(frozen=True)
class Consent:
    """Consent to a change.

    Attributes:
        given: Whether it was given on the command line, or is not needed, as on a simulated cluster.
    """

    given: bool

    def ask(self, question: str) -> None:
        """Ask where consent was not given. Ctrl-C ends the command, as a no does.

        Raises:
            CommandError: The answer is no, or nobody is there to answer. Nothing was changed.
        """
        if self.given:
            return
        if not at_a_terminal():
            raise CommandError(
                f"{question} Nobody can answer here, because this is no terminal; --yes says yes. Nothing was changed",
                ExitCode.BAD_INPUT,
            )
        if not typer.confirm(question, err=True):
            raise CommandError("the answer was no, so nothing was changed")


def typed_name(question: str) -> str | None:
    """Name that a person types to confirm a loss; None where nobody is there to type it."""
    typed: str | None = typer.prompt(question, err=True) if at_a_terminal() else None
    return typed


def at_a_terminal() -> bool:
    """True if a person can answer."""
    return sys.stdin.isatty()
