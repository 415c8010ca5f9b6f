"""The commands `altlas up`, `altlas down` and `altlas env`."""

import os
from typing import Annotated

import typer

from altlas.commands.options import (
    AddonsOption,
    IncidentOption,
    LeaveMessagesOption,
    OverrideOption,
    PreflightOption,
    StackArgument,
    StackOption,
    TargetOption,
    YesOption,
    one_stack,
)
from altlas.release.deployments import recorded
from altlas.release.ledger import ledger_of
from altlas.release.rules import check_up
from altlas.session.console import report, workspace
from altlas.session.environment import as_shell
from altlas.session.environment import environment as variables
from altlas.session.session import choose_target, open_cluster
from altlas.status.table import call_text, workloads_text
from altlas.update.up import up as bring_up
from cluster.target import NODE


def up(
    stack: StackArgument = None,
    stack_option: StackOption = None,
    target: TargetOption = None,
    yes: YesOption = False,
    addons: AddonsOption = True,
    *,
    preflight: PreflightOption = True,
    incident: IncidentOption = None,
    override: OverrideOption = None,
    leave_messages: LeaveMessagesOption = False,
) -> None:
    """Bring a stack up: start the cluster if it is ours, update, wait until all services and stores are ready."""
    here, name = workspace(), one_stack(stack, stack_option)
    with here.only_one(f"up --stack {name}"):
        ledger = ledger_of(here, name, os.environ)
        check_up(here, name, ledger, override or "")
        session, platform, statuses = bring_up(
            here,
            name,
            target,
            ("--yes",) if yes else (),
            report,
            with_addons=addons,
            with_preflight=preflight,
            leaves_messages=leave_messages,
            around=lambda session: recorded(
                ledger,
                session,
                name,
                reason="rework" if incident else "planned",
                facts={"incident": incident} if incident else {},
            ),
        )
    typer.echo(workloads_text(name, platform, statuses, session.kubectl.kubeconfig))
    if session.target.name == NODE:
        typer.echo(call_text(platform, session.kubectl.named("nodes")[0]["status"]["addresses"][0]["address"]))


def down(
    target: TargetOption = None, delete: Annotated[bool, typer.Option(help="Also remove its data.")] = False
) -> None:
    """Stop the cluster that `up` started. Its data stays, so that the next `up` finds everything as it was."""
    here = workspace()
    with here.only_one("down"):
        chosen = choose_target(here, target)
        report(str(chosen))
        opened, _ = open_cluster(here, chosen, report)
        opened.delete() if delete else opened.down()


def environment(target: TargetOption = None) -> None:
    """Print the environment in which plain `pulumi` and `kubectl` work: eval "$(altlas env)"."""
    here = workspace()
    chosen = choose_target(here, target)
    _, toolbox = open_cluster(here, chosen, report)
    kubeconfig = chosen.kubeconfig or here.kubeconfig(chosen.name)
    typer.echo(as_shell(variables(here, toolbox, chosen, kubeconfig, os.environ)), nl=False)
