"""The command `altlas diff`."""

import gc
import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from altlas.commands.options import FromSide, JsonOption, ToSide
from altlas.release.sides import Side, recording, side
from altlas.session.console import workspace


class Format(StrEnum):
    """Form of the output."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


def diff(
    before: FromSide,
    after: ToSide,
    *,
    form: Annotated[
        Format, typer.Option("--format", help="text, markdown (for a pull request) or json.")
    ] = Format.TEXT,
    with_fields: Annotated[bool, typer.Option("--fields/--no-fields", help="List changed fields of objects.")] = True,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 if anything differs.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what taking another stack's settings changes: settings, objects, load, restarts, data. Needs no cluster.

    Deletions, replacements and what cannot be undone come first. Namespace and host stay with their stack. A stack file
    of another checkout is rendered by that checkout's program, so a branch can be compared with another one.
    """
    here = workspace()
    change, show = _compare(side(here, before), side(here, after))
    if as_json or form is Format.JSON:
        typer.echo(json.dumps(show.as_document(change), indent=2))
    elif form is Format.MARKDOWN:
        typer.echo(show.as_markdown(change), nl=False)
    else:
        typer.echo(show.as_text(change, with_fields=with_fields), nl=False)
    if exit_code and (change.steps or change.identity):
        raise typer.Exit(1)


def _compare(before: Side, after: Side) -> tuple[Any, Any]:
    """The change, and the module that shows it."""
    gc.disable()  # everything that is loaded here stays: a tenth of the time
    try:
        with recording(before) as recorded:
            # Takes most of the time of the command; meanwhile the other process records.
            from altlas.release import show  # noqa: PLC0415

            return show.stack_change(before, after, recorded), show
    finally:
        gc.enable()
