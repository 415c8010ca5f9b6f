"""Starts the commands of this package, with one clear line where settings are not usable."""

import sys
from collections.abc import Callable

import typer

from components.stack.problems import SettingsError
from rendering.errors import CommandError, ExitCode


def run(main: Callable[..., None]) -> None:
    """Run a command. Ends with exit code 2 and the reason where a stack or its settings are not usable."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except (SettingsError, CommandError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(ExitCode.BAD_INPUT)
