"""The commands `altlas restore`, `altlas backups`, `altlas fetch` and `altlas drill`."""

from typing import TYPE_CHECKING, Annotated

import typer

from altlas.commands.options import StackOption, TargetOption

if TYPE_CHECKING:
    from altlas.backup.restore import Restoring

_StoreArgument = Annotated[str, typer.Argument(help="Store: postgres, redis or nats.")]


def restore(
    store: _StoreArgument,
    *,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Moment to go back to, with its time zone.")] = None,
    backup: Annotated[str | None, typer.Option(metavar="ID", help="Backup to restore, see `altlas backups`.")] = None,
    into: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the copy; never that of live data.")] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="PART", help="Only this database or stream.")] = None,
    replace: Annotated[bool, typer.Option(help="Replace live data, which is put aside; needs --confirm.")] = False,
    confirm: Annotated[
        str | None, typer.Option(metavar="STACK", help="The stack's name, to confirm --replace.")
    ] = None,
    stack: StackOption = "alpha",
    target: TargetOption = None,
) -> None:
    """Restore a backup beside the live data, or, on demand, over it."""
    import sys  # noqa: PLC0415
    from datetime import UTC, datetime  # noqa: PLC0415

    from altlas.backup import request as requests  # noqa: PLC0415
    from altlas.cli import workspace  # noqa: PLC0415
    from components.stack.loading import read_platform  # noqa: PLC0415

    platform = read_platform(workspace().stack_file(stack))
    if replace and confirm is None and sys.stdin.isatty():
        confirm = typer.prompt(f"This replaces live data. Type the name of the stack ({stack}) to go on", err=True)
    request = requests.Request(
        store=store,
        stack=stack,
        backup=backup,
        at=requests.parse_moment(at, datetime.now(UTC)) if at is not None else None,
        into=into,
        only=tuple(only or ()),
        replace=replace,
        confirmed=confirm,
    )
    requests.check_request(request, platform)
    typer.echo(_opened(stack, target).restore(request))


def backups(store: _StoreArgument, stack: StackOption = "alpha", target: TargetOption = None) -> None:
    """List the backups of a store, as a Job that sees them prints them."""
    _run("list", store, stack, target)


def drill(store: _StoreArgument, stack: StackOption = "alpha", target: TargetOption = None) -> None:
    """Restore the newest backup into a server of its own now, compare it, and print how long that took."""
    _run("drill", store, stack, target)


def fetch(
    store: _StoreArgument,
    backup: Annotated[str | None, typer.Option(metavar="ID", help="Backup to get; without it the newest.")] = None,
    stack: StackOption = "alpha",
    target: TargetOption = None,
) -> None:
    """Get a backup from the bucket onto the volume of the dumps, such as on a new cluster; then restore it."""
    from altlas.backup import request as requests  # noqa: PLC0415
    from altlas.backup.job import Task  # noqa: PLC0415
    from altlas.cli import workspace  # noqa: PLC0415
    from components.stack.loading import read_platform  # noqa: PLC0415

    arguments = requests.check_fetch(store, backup, stack, read_platform(workspace().stack_file(stack)))
    typer.echo(_opened(stack, target).jobs.run(Task("fetch", store, arguments)))


def _run(action: str, store: str, stack: str, target: str | None) -> None:
    from altlas.backup import request as requests  # noqa: PLC0415
    from altlas.backup.job import Task  # noqa: PLC0415
    from altlas.cli import workspace  # noqa: PLC0415
    from components.stack.loading import read_platform  # noqa: PLC0415

    requests.check_store(store, read_platform(workspace().stack_file(stack)))
    typer.echo(_opened(stack, target).jobs.run(Task(action, store)))


def _opened(stack: str, target: str | None) -> "Restoring":
    """The deployed stack, on a cluster that is running."""
    from altlas.backup.job import Jobs  # noqa: PLC0415
    from altlas.backup.restore import Restoring  # noqa: PLC0415
    from altlas.cli import report, workspace  # noqa: PLC0415
    from altlas.update import up as flow  # noqa: PLC0415
    from altlas.update.cluster_identity import state_on_its_cluster  # noqa: PLC0415
    from components.stack.loading import read_platform  # noqa: PLC0415

    here = workspace()
    platform = read_platform(here.stack_file(stack))
    chosen = flow.choose_target(here, target)
    session = flow.engine_session(here, chosen, report)
    state_on_its_cluster(session.engine, session.kubectl, stack)
    if chosen.name == "sim":
        report("The pods of the simulated cluster run nothing: what the Job would do is not proven here.")
    return Restoring(session, stack, platform, Jobs(session.kubectl, stack, platform.namespace, report))
