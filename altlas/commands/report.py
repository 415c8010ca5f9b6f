"""The command `altlas report`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from altlas.commands.options import StackArgument, known_stacks, one_stack, writable
from altlas.preflight.nodes import described_nodes
from altlas.release.ledger import ledger_of
from altlas.release.plan import read_plan
from altlas.release.report import ReleaseReport, report_of_change, report_of_stack
from altlas.release.report_page import as_html
from altlas.release.sides import side
from altlas.session.console import workspace
from altlas.session.durable_file import write_durably
from rendering.errors import CommandError, ExitCode


def report(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write, in HTML.", callback=writable)],
    stack: StackArgument = None,
    after: Annotated[
        str | None,
        typer.Argument(
            metavar="AFTER", help="Stack or stack file whose settings it takes.", autocompletion=known_stacks
        ),
    ] = None,
    *,
    plan: Annotated[Path | None, typer.Option(metavar="FILE", help="Plan to report about.")] = None,
    nodes: Annotated[str | None, typer.Option(help="Nodes as number x cores x GiB, such as 3x4x16.")] = None,
) -> None:
    """Write one HTML file about a release: map, steps, diff, capacity, approvals, ledger. Needs no cluster.

    The file opens without a network, runs no script, and holds no secret.
    """
    if plan and (stack or after):
        raise CommandError("a plan names its stack; give either --plan or stacks", ExitCode.BAD_INPUT)
    found = _found(stack, after, plan, nodes)
    write_durably(file, as_html(found).encode(), mode=0o666)
    typer.echo(f"Wrote {file}: open it in a browser.")


def _found(stack: str | None, after: str | None, plan: Path | None, nodes: str | None) -> ReleaseReport:
    here, room = workspace(), described_nodes(nodes) if nodes else ()
    if plan:
        file = read_plan(plan)
        return report_of_stack(here, file.plan.stack, room, ledger_of(here, file.plan.stack, os.environ), file=file)
    before = side(here, one_stack(stack, None))
    ledger = ledger_of(here, before.stack, os.environ)
    if after is None:
        return report_of_stack(here, before.stack, room, ledger)
    return report_of_change(before, side(here, after), room, ledger)
