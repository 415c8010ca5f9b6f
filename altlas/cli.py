"""The command `altlas`: what happens around `pulumi up`. Pulumi works without it; this only adds."""

import sys
from contextlib import suppress
from typing import Annotated

import typer

from altlas.commands.lazy import Entry, lazy_group
from altlas.session.streams import open_standard_streams

_EVERYDAY, _PHASES, _DATA = "Everyday", "Phases and releases", "Data"
_SECURITY, _IMAGES, _CLUSTER = "Security", "Images", "Cluster"

COMMANDS = {
    "up": Entry("up:up", "Bring a stack up and wait until its services are ready.", _EVERYDAY),
    "preflight": Entry("preflight:preflight", "Check whether a cluster can take a stack; change nothing.", _EVERYDAY),
    "status": Entry("status:status", "Show what runs, which alerts fire, and how old the backups are.", _EVERYDAY),
    "env": Entry("up:environment", "Print the environment for plain pulumi and kubectl.", _EVERYDAY),
    "down": Entry("up:down", "Stop the cluster that `up` started; its data stays.", _EVERYDAY),
    "destroy": Entry("destroy:destroy", "Remove everything that a stack owns from the cluster.", _EVERYDAY),
    "diff": Entry("diff:diff", "Show what taking another stack's settings changes and costs.", _PHASES),
    "drift": Entry("drift:drift", "Show what differs on the cluster, by whom and since when.", _PHASES),
    "capacity": Entry("capacity:capacity", "Show whether a stack fits: nodes, growth, quota, volumes.", _PHASES),
    "loadtest": Entry("loadtest:loadtest", "Load services and compare with a profile's goals.", _PHASES),
    "report": Entry("report:report", "Write a report about a release as one HTML file.", _PHASES),
    "stack": Entry("stack:app", "Stack files: transition, render, schema, diagram, Compose, RBAC.", _PHASES),
    "rehearse": Entry("rehearse:rehearse", "Try a change and its inverse on a scratch cluster.", _PHASES),
    "plan": Entry("release:plan", "Plan an update and seal what it depends on in a file.", _PHASES),
    "show": Entry("release:show", "Print a plan and check its approvals, without any network.", _PHASES),
    "approve": Entry("release:approve", "Sign a plan with an SSH key.", _PHASES),
    "apply": Entry("release:apply", "Apply exactly what was planned and approved.", _PHASES),
    "rollback": Entry("release:rollback", "Plan to go back to a recorded release.", _PHASES),
    "promote": Entry("promote:promote", "Move what ran together in one stack into another.", _PHASES),
    "canary": Entry("canary:app", "Releases in steps: state, abort, skip of the gates.", _PHASES),
    "freeze": Entry("release:freeze", "Stop all releases of a stack.", _PHASES),
    "unfreeze": Entry("release:unfreeze", "Allow releases of a stack again.", _PHASES),
    "ledger": Entry("ledger:app", "Ledger: what was done to a stack, and the figures of its delivery.", _PHASES),
    "github": Entry("github:app", "Steps of the workflows on GitHub: comment, environment, identity.", _PHASES),
    "backup": Entry("backup:app", "Backups: list, fetch, restore, test.", _DATA),
    "state": Entry("state:app", "State of a stack: recover what a crash left behind.", _DATA),
    "secrets": Entry("secrets:app", "Generated secrets: create, reset, rotate.", _SECURITY),
    "check": Entry("check:app", "Check stacks against the policies: rules, proof, matrix, scanners.", _SECURITY),
    "images": Entry("images:app", "Images of the services: runtimes, lock, retirement.", _IMAGES),
    "addons": Entry("addons:app", "Operators and CRDs of a cluster: list, install, remove.", _CLUSTER),
}
RENAMED = {
    **{name: f"stack {name}" for name in ("transition", "render", "schema", "diagram", "compose", "deployer-role")},
    **{name: f"backup {name}" for name in ("fetch", "restore", "drill")},
    "backups": "backup list",
}

app = lazy_group(COMMANDS, RENAMED, name="altlas", add_completion=True, help=__doc__)


def _print_version(wanted: bool) -> None:
    if wanted:
        # Takes as long to import as all the rest of the help.
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(f"altlas {version('alt-las-platform')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run a command and turn every failure that a person can mend into one message and an exit code."""
    open_standard_streams()
    try:
        app(prog_name="altlas")
    except Exception as error:
        # Only a failure needs the packages that define them.
        from altlas.session.errors import as_command_error, printable  # noqa: PLC0415

        failure = as_command_error(error)
        if failure is None:
            raise
        with suppress(OSError):
            typer.echo(f"error: {printable(str(failure))}", err=True)
        sys.exit(failure.code)
