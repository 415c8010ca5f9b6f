"""The commands `altlas backup ...`: list, fetch, restore and test the backups of a stack."""

import json
import os
from datetime import UTC, datetime
from typing import Annotated

import typer

from altlas.backup import request as requests
from altlas.backup.job import Jobs, Task
from altlas.backup.listing import split_list
from altlas.backup.restore import Restoring
from altlas.commands.lazy import command_group
from altlas.commands.options import JsonOption, StackArgument, StackOption, TargetOption, one_stack
from altlas.release.checkout import person
from altlas.release.ledger import ledger_of
from altlas.session.consent import typed_name
from altlas.session.console import report, workspace
from altlas.session.session import choose_target, engine_session
from altlas.session.table import table_text
from altlas.update.cluster_identity import state_on_its_cluster
from components.settings import PlatformSettings
from components.stack.loading import read_platform

app = command_group(help="Backups: list, fetch, restore, test.")

_StoreArgument = Annotated[str, typer.Argument(metavar="STORE", help="Store: postgres, redis or nats.")]

_GenerationOption = Annotated[
    int | None, typer.Option(metavar="N", help="Earlier life of the stack (backup.objectStore.generation).")
]


@app.command(name="list")
def list_backups(
    store: _StoreArgument,
    stack: StackArgument = None,
    stack_option: StackOption = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the backups of a store. A Job that mounts their volume reads them."""
    printed = _run("list", store, one_stack(stack, stack_option), target)
    backups, others = split_list(printed)
    for line in others:
        report(line)
    if as_json:
        typer.echo(json.dumps(backups, indent=2))
    elif backups:
        rows = [(each["backup"], each["taken_at"], str(each["size"]), ", ".join(each["parts"])) for each in backups]
        typer.echo(table_text(("BACKUP", "TAKEN AT", "BYTES", "PARTS"), rows))
    else:
        report("The Job listed no backup.")


@app.command()
def fetch(
    store: _StoreArgument,
    stack: StackArgument = None,
    *,
    backup: Annotated[str | None, typer.Option(metavar="ID", help="Backup to get; without it the newest.")] = None,
    generation: _GenerationOption = None,
    stack_option: StackOption = None,
    target: TargetOption = None,
) -> None:
    """Copy a backup from the bucket to the backup volume, such as on a new cluster; then restore it."""
    name = one_stack(stack, stack_option)
    platform = _platform(name)
    arguments, environment = requests.check_fetch(store, backup, name, platform, generation)
    typer.echo(_opened(name, platform, target).jobs.run(Task("fetch", store, arguments, environment)))


@app.command()
def preflight(
    store: _StoreArgument, stack: StackArgument = None, stack_option: StackOption = None, target: TargetOption = None
) -> None:
    """Try whether the bucket can be used: a Job uploads, reads and deletes as backups and the archiver do."""
    name = one_stack(stack, stack_option)
    requests.bucket_of(_platform(name))
    typer.echo(_run("preflight", store, name, target))


@app.command()
def restore(
    store: _StoreArgument,
    stack: StackArgument = None,
    *,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Moment to go back to, with its time zone.")] = None,
    backup: Annotated[
        str | None, typer.Option(metavar="ID", help="Backup to restore, see `altlas backup list`.")
    ] = None,
    into: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the copy; never that of live data.")] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="PART", help="Only this database or stream.")] = None,
    replace: Annotated[
        bool, typer.Option(help="Replace live data, which is renamed and kept as a copy; needs --confirm.")
    ] = False,
    confirm: Annotated[
        str | None, typer.Option(metavar="STACK", help="The stack's name, to confirm --replace.")
    ] = None,
    generation: _GenerationOption = None,
    stack_option: StackOption = None,
    target: TargetOption = None,
) -> None:
    """Restore a backup into a copy, or replace live data (--replace)."""
    name = one_stack(stack, stack_option)
    platform = _platform(name)
    if replace and confirm is None:
        confirm = typed_name(f"This replaces live data. Type the name of the stack ({name}) to go on")
    request = requests.RestoreRequest(
        store=store,
        stack=name,
        backup=backup,
        at=requests.parse_moment(at, datetime.now(UTC)) if at is not None else None,
        into=into,
        only=tuple(only or ()),
        replace=replace,
        confirmed=confirm,
        generation=generation,
    )
    requests.check_request(request, platform)
    ledger = ledger_of(workspace(), name, os.environ)
    ledger.entries()
    opened = _opened(name, platform, target)
    known = {"store": store, "backup": backup, "at": at, "into": into, "replace": replace}
    body, result = {key: value for key, value in known.items() if value}, "failed"
    try:
        typer.echo(opened.restore(request))
        result = "succeeded"
    finally:
        ledger.append("restore", person(workspace().root), {**body, "result": result})


@app.command()
def drill(
    store: _StoreArgument, stack: StackArgument = None, stack_option: StackOption = None, target: TargetOption = None
) -> None:
    """Run a restore test (a drill): restore the newest backup into a server of its own, compare, print the time."""
    typer.echo(_run("drill", store, one_stack(stack, stack_option), target))


def _run(action: str, store: str, stack: str, target: str | None) -> str:
    platform = _platform(stack)
    requests.check_store(store, platform)
    return _opened(stack, platform, target).jobs.run(Task(action, store))


def _platform(stack: str) -> PlatformSettings:
    return read_platform(workspace().stack_file(stack))


def _opened(stack: str, platform: PlatformSettings, target: str | None) -> Restoring:
    """The deployed stack, on a cluster that is running."""
    here = workspace()
    chosen = choose_target(here, target)
    session = engine_session(here, chosen, report)
    state_on_its_cluster(session, stack, platform)
    if chosen.name == "sim":
        report("The pods of the simulated cluster run nothing: what the Job would do is not proven here.")
    return Restoring(session, stack, platform, Jobs(session.kubectl, stack, platform.namespace, report))
