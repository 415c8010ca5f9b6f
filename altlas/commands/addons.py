"""The commands `altlas addons ...`: what a cluster has once, whatever runs on it."""

from typing import Annotated

import typer

from altlas.commands.options import TargetOption, YesOption
from rendering.errors import CommandError, ExitCode

addons_app = typer.Typer(
    invoke_without_command=True, help="Operators and definitions that a cluster has once. Alone: show them."
)

_HEADINGS = ("ADDON", "PINNED", "ON THE CLUSTER", "STATE", "FOR")


@addons_app.callback()
def addons(context: typer.Context, target: TargetOption = None) -> None:
    """Show which addons are pinned and how those on the cluster stand to them. Changes nothing."""
    if context.invoked_subcommand:
        return
    from altlas.addons.install import SIMULATED  # noqa: PLC0415
    from altlas.cli import report, workspace  # noqa: PLC0415
    from altlas.update import up as flow  # noqa: PLC0415
    from cluster.addons import load_manifest  # noqa: PLC0415

    here = workspace()
    chosen = flow.choose_target(here, target)
    states = flow.engine_session(here, chosen, report).addons(report).states()
    rows = [_HEADINGS]
    for name, (version, state) in states.items():
        addon = load_manifest().addons[name]
        rows.append((name, addon.version, version or "-", str(state), addon.purpose))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if not chosen.runs_containers:
        typer.echo(f"\n{SIMULATED}")


@addons_app.command()
def install(
    target: TargetOption = None,
    external: Annotated[
        list[str] | None, typer.Option(metavar="ADDON", help="Leave this addon to the cluster; may be repeated.")
    ] = None,
    adopt: Annotated[
        list[str] | None, typer.Option(metavar="ADDON", help="Take over what somebody else installed; may be repeated.")
    ] = None,
    optional: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="ADDON", help="Install this optional addon too; may be repeated."),
    ] = None,
    yes: YesOption = False,
) -> None:
    """Install or update what the cluster lacks of the pinned addons. `altlas up` does this too."""
    from altlas.addons.install import Choices  # noqa: PLC0415
    from altlas.cli import report, workspace  # noqa: PLC0415
    from altlas.update import up as flow  # noqa: PLC0415

    choices = Choices(frozenset(external or ()), frozenset(adopt or ()), frozenset(optional or ()))
    both = sorted(choices.external & (choices.adopt | choices.optional))
    if both:
        raise CommandError(f"{both[0]} cannot be left to the cluster and installed at once", ExitCode.BAD_INPUT)
    here = workspace()
    with here.only_one("addons install"):
        chosen = flow.choose_target(here, target)
        report(str(chosen))
        changed = flow.start_session(here, chosen, report).addons(report).ensure(choices, ask=not yes)
    report("The pinned addons are installed." if changed else "The pinned addons are in place; nothing was done.")


@addons_app.command()
def remove(target: TargetOption = None, yes: YesOption = False) -> None:
    """Remove the addons that were installed from here. Refused while their custom resources exist."""
    from altlas.cli import report, workspace  # noqa: PLC0415
    from altlas.update import up as flow  # noqa: PLC0415

    here = workspace()
    with here.only_one("addons remove"):
        chosen = flow.choose_target(here, target)
        report(str(chosen))
        changed = flow.start_session(here, chosen, report).addons(report).remove(ask=not yes)
    report("The addons are removed." if changed else "There is nothing to remove: no addon was installed from here.")
