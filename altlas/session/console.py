"""Surroundings of a command: the checkout, and messages on standard error."""

from collections.abc import Callable
from contextlib import suppress

import typer

from altlas.session.workspace import Workspace
from rendering.root import checkout

Report = Callable[[str], None]
"""Prints a line of progress for the person at the terminal."""


def report(message: str) -> None:
    """Print progress on standard error; standard output carries results only.

    A reader that has gone, as in `altlas up 2>&1 | head -1`, stops no update half way.
    """
    with suppress(OSError):
        typer.echo(message, err=True)


def workspace() -> Workspace:
    """The checkout that holds this command, or the one named by ALT_LAS_ROOT.

    Raises:
        CommandError: ALT_LAS_ROOT names no folder.
    """
    return Workspace(checkout())
