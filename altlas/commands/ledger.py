"""The commands `altlas ledger ...`: show and verify what was done to a stack, and the figures of its delivery."""

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, get_args

import typer

from altlas.commands.lazy import command_group
from altlas.commands.options import JsonOption, StackArgument, StackOption, one_stack
from altlas.release.deployments import deployments
from altlas.release.dora import as_json as metrics_json
from altlas.release.dora import as_prometheus, as_text, metrics
from altlas.release.ledger import Kind, Ledger, ledger_of
from altlas.release.ledger_text import what
from altlas.release.records import annotation, applied, deployment_records, verdict
from altlas.session.console import report, workspace
from altlas.session.table import table_text
from components.stack.loading import read_stack_document
from rendering.errors import CommandError, ExitCode

app = command_group(help="Ledger: what was done to a stack, by whom and when.")

_FORMATS = ("text", "json", "prometheus")


def _ledger(stack: str | None, option: str | None) -> tuple[str, Ledger]:
    here, name = workspace(), one_stack(stack, option)
    file, ledger = here.stack_file(name), ledger_of(here, name, os.environ)
    if not ledger.path.exists():
        # A stack that is gone keeps its ledger; a name without either is a mistake.
        read_stack_document(file)
    return name, ledger


@app.command()
def show(
    stack: StackArgument = None,
    stack_option: StackOption = None,
    kind: Annotated[str | None, typer.Option(help="Only entries of this kind, such as apply.")] = None,
    as_json_text: JsonOption = False,
) -> None:
    """Print the entries of a stack's ledger, oldest first."""
    if kind not in (None, *get_args(Kind)):
        raise CommandError(f"--kind {kind!r} is unknown; use {', '.join(get_args(Kind))}", ExitCode.BAD_INPUT)
    name, ledger = _ledger(stack, stack_option)
    entries = [each for each in ledger.entries() if kind in (None, each.kind)]
    if as_json_text:
        typer.echo(json.dumps([asdict(each) for each in entries], indent=2))
    elif entries:
        rows = [(str(each.number), each.time, each.kind, each.by, what(each)) for each in entries]
        typer.echo(table_text(("ENTRY", "TIME", "KIND", "BY", "WHAT"), rows))
    else:
        report(f"The ledger of the stack {name} has no entry{f' of the kind {kind}' if kind else ''} yet.")


@app.command()
def verify(
    stack: StackArgument = None,
    stack_option: StackOption = None,
    head: Annotated[
        str | None, typer.Option(metavar="HASH", help="Hash of an entry that was noted elsewhere; it must be there.")
    ] = None,
) -> None:
    """Check that no line of a stack's ledger was changed, cut out, swapped or added by something else."""
    name, ledger = _ledger(stack, stack_option)
    reading = ledger.read()
    if reading.problem:
        raise CommandError(f"the ledger {ledger.path} is damaged: {reading.problem}")
    if head is not None and head not in {each.hash for each in reading.entries}:
        raise CommandError(f"the ledger {ledger.path} has no entry with the hash {head}: it is another history")
    if reading.torn:
        report(f"An interrupted command left {reading.torn} bytes behind the last entry; the next entry removes them.")
    typer.echo(f"The ledger of {name} holds {len(reading.entries)} entries; each follows from the one before it.")
    if reading.entries:
        typer.echo(f"head {reading.entries[-1].hash}")


@app.command()
def export(
    number: Annotated[int, typer.Argument(metavar="ENTRY", help="Entry of the begin of an apply.")],
    stack: StackArgument = None,
    stack_option: StackOption = None,
    form: Annotated[
        str,
        typer.Option(
            "--format", help="svr: in-toto verdict; github, grafana: bodies of deployment records and of an annotation."
        ),
    ] = "svr",
) -> None:
    """Print a record of an applied plan for other systems, as JSON."""
    if form not in ("svr", "github", "grafana"):
        raise CommandError(f"the format {form!r} is unknown; use svr, github or grafana", ExitCode.BAD_INPUT)
    name, ledger = _ledger(stack, stack_option)
    begin, end = applied(ledger.entries(), number)
    document: Any = verdict(name, begin, end)
    if form != "svr":
        document = deployment_records(name, begin) if form == "github" else annotation(name, begin, end)
    typer.echo(json.dumps(document, indent=2))


@app.command(name="metrics")
def show_metrics(
    stack: StackArgument = None,
    stack_option: StackOption = None,
    days: Annotated[int, typer.Option(min=1, help="Length of the window that ends now, in days.")] = 90,
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(_FORMATS)}.")] = "text",
) -> None:
    """Print DORA's five metrics of software delivery, each with the number of cases it rests on."""
    if form not in _FORMATS:
        raise CommandError(f"the format {form!r} is unknown; use {', '.join(_FORMATS)}", ExitCode.BAD_INPUT)
    name, ledger = _ledger(stack, stack_option)
    found = metrics(deployments(ledger.entries()), datetime.now(UTC), days)
    if form == "json":
        typer.echo(json.dumps({"stack": name, "days": days, "metrics": metrics_json(found)}, indent=2))
    elif form == "prometheus":
        typer.echo(as_prometheus(found, name), nl=False)
    else:
        typer.echo(table_text(("METRIC", f"LAST {days} DAYS", "CASES"), as_text(found)))
