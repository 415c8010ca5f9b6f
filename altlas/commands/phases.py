"""The commands `altlas stack diff` and `altlas stack transition`: settings of one phase against those of the next."""

import json
from contextlib import nullcontext
from typing import Annotated

import typer

from altlas.commands.options import FromStack, JsonOption, Stack, ToStack
from altlas.release.settings_diff import as_document, as_text, compare
from altlas.release.transition import take_settings
from altlas.session.console import report, workspace
from components.stack.loading import read_platform


def settings_diff(before: FromStack, after: ToStack, as_json: JsonOption = False) -> None:
    """Print which settings two stacks decide differently: field, from, to and class."""
    here = workspace()
    differences = compare(read_platform(here.stack_file(before)), read_platform(here.stack_file(after)))
    if as_json:
        typer.echo(json.dumps([as_document(each) for each in differences], indent=2))
    else:
        typer.echo(as_text(differences, before, after), nl=False)


def transition(
    stack: Stack,
    source: FromStack,
    write: Annotated[bool, typer.Option(help="Write the stack file instead of printing it.")] = False,
) -> None:
    """Copy the settings of another stack into a stack's file; fields of class identity keep their values."""
    here = workspace()
    into, other = here.stack_file(stack), here.stack_file(source)
    with here.only_one(f"stack transition {stack} {source}") if write else nullcontext():
        platform = read_platform(into)
        read_platform(other)
        text = take_settings(into.read_text(encoding="utf-8"), other.read_text(encoding="utf-8"), platform)
        if write:
            into.write_text(text, encoding="utf-8")
    if write:
        report(f"{into.name} now has the settings of {other.name}; deploy them with `pulumi up --stack {stack}`.")
    else:
        typer.echo(text, nl=False)
