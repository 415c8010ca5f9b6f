"""The command `altlas state recover`."""

from typing import Annotated

import typer

from altlas.commands.lazy import command_group
from altlas.commands.options import Stack, TargetOption
from altlas.session.console import report, workspace
from altlas.session.session import choose_target, engine_session
from components.stack.loading import read_stack_document
from rendering.errors import CommandError, ExitCode

app = command_group(help="The state of a stack, as the engine keeps it.")


@app.callback()
def state() -> None:
    """The state of a stack, as the engine keeps it."""


@app.command()
def recover(
    stack: Stack,
    target: TargetOption = None,
    source: Annotated[str | None, typer.Option("--from", metavar="COPY", help="Take this copy of the state.")] = None,
) -> None:
    """Make the state whole after a crash, as other commands do by themselves, or from a copy if it is damaged."""
    here = workspace()
    read_stack_document(here.stack_file(stack))
    with here.only_one(f"state recover {stack}"):
        session = engine_session(here, choose_target(here, target), report)
        restored = session.engine.restore_state(stack, source)
        if restored:
            report(str(restored))
        found = session.engine.exported_state(stack)
        if not found:
            raise CommandError(f"the backend has no stack {stack}; nothing to recover", ExitCode.BAD_INPUT)
    resources = len(found["deployment"].get("resources") or ())
    pending = found["deployment"].get("pending_operations") or ()
    typer.echo(f"The state of {stack} is whole: {resources} resources, {len(pending)} operations in flight.")
