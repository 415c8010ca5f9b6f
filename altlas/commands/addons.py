"""The commands `altlas addons ...`: operators and CRDs of a cluster."""

import json
from typing import Annotated

import typer

from altlas.addons.install import SIMULATED, Addons, Choices
from altlas.commands.lazy import command_group
from altlas.commands.options import JsonOption, TargetOption, YesOption
from altlas.session.consent import Consent
from altlas.session.console import report, workspace
from altlas.session.session import choose_target, engine_session, start_session
from altlas.session.table import table_text
from cluster.addons import load_manifest
from rendering.errors import CommandError, ExitCode

app = command_group(
    no_args_is_help=False,
    invoke_without_command=True,
    help="Manage cluster-wide operators and CRDs. Without a subcommand: list them.",
)

_HEADINGS = ("ADDON", "PINNED", "ON THE CLUSTER", "STATE", "FOR")
_KEYS = ("name", "pinned", "installed", "state", "purpose")


@app.callback()
def addons(context: typer.Context, target: TargetOption = None, as_json: JsonOption = False) -> None:
    """List the pinned addons with their version and state on the cluster. Changes nothing."""
    if context.invoked_subcommand:
        return
    here, pinned = workspace(), load_manifest().addons
    chosen = choose_target(here, target)
    states = Addons(engine_session(here, chosen, report), report).states()
    rows = [
        (name, pinned[name].version, version or None, str(state), pinned[name].purpose)
        for name, (version, state) in states.items()
    ]
    if as_json:
        typer.echo(json.dumps([dict(zip(_KEYS, row, strict=True)) for row in rows], indent=2))
        return
    typer.echo(table_text(_HEADINGS, ([cell or "-" for cell in row] for row in rows)))
    if not chosen.runs_containers:
        typer.echo(f"\n{SIMULATED}")


@app.command()
def install(
    target: TargetOption = None,
    external: Annotated[
        list[str] | None, typer.Option(metavar="ADDON", help="Leave this addon to the cluster; may be repeated.")
    ] = None,
    adopt: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDON", help="Take over an addon that was installed by others; may be repeated."),
    ] = None,
    optional: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="ADDON", help="Install this optional addon too; may be repeated."),
    ] = None,
    yes: YesOption = False,
) -> None:
    """Install or update the pinned addons that the cluster lacks. `altlas up` does this too."""
    choices = Choices(frozenset(external or ()), frozenset(adopt or ()), frozenset(optional or ()))
    both = sorted(choices.external & (choices.adopt | choices.optional))
    if both:
        raise CommandError(f"{both[0]} cannot be left to the cluster and installed at once", ExitCode.BAD_INPUT)
    here = workspace()
    with here.only_one("addons install"):
        chosen = choose_target(here, target)
        report(str(chosen))
        changed = Addons(start_session(here, chosen, report), report).ensure(choices, consent=Consent(yes))
    report("The pinned addons are installed." if changed else "The pinned addons are in place; nothing was done.")


@app.command()
def remove(target: TargetOption = None, yes: YesOption = False) -> None:
    """Remove the addons that were installed from here. Refused while their custom resources exist."""
    here = workspace()
    with here.only_one("addons remove"):
        chosen = choose_target(here, target)
        report(str(chosen))
        changed = Addons(start_session(here, chosen, report), report).remove(consent=Consent(yes))
    report("The addons are removed." if changed else "There is nothing to remove: no addon was installed from here.")
