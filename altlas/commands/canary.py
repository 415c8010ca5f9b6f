"""The commands `altlas canary list`, `approve`, `abort`, `skip`: releases that Flagger judges, and decisions."""

import json
import os
from dataclasses import asdict
from typing import Annotated

import typer

from altlas.commands.options import JsonOption, StackArgument, StackOption, TargetOption, one_stack, said
from altlas.release.canary_control import (
    GATED,
    KIND,
    Decision,
    approvable,
    canary_state,
    canary_states,
    decide,
    judged_canary,
)
from altlas.release.checkout import person
from altlas.release.ledger import ledger_of
from altlas.session.console import report, workspace
from altlas.session.session import choose_target, engine_session
from altlas.session.table import table_text
from altlas.update.cluster_identity import state_on_its_cluster
from components.stack.loading import read_platform
from rendering.errors import CommandError, ExitCode

app = typer.Typer(help="Releases in steps: state, approval, abort, skip of the gates.", no_args_is_help=True)

_ServiceArgument = Annotated[str, typer.Argument(metavar="SERVICE", help="Service with a canary.")]
_StackArgument = Annotated[str, typer.Argument(metavar="STACK", help="Stack.")]
_WhyOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Reason, for the ledger.", callback=said)]


@app.command("list")
def show(
    stack: StackArgument = None,
    stack_option: StackOption = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show each canary, and what waits for an approval. Ends with 1 if a promotion has failed, or gates are off."""
    here, name = workspace(), one_stack(stack, stack_option)
    platform = read_platform(here.stack_file(name))
    session = engine_session(here, choose_target(here, target), report)
    found = canary_states(session.kubectl, platform.namespace) if platform.canaries() else ()
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], indent=2))
    else:
        headings = ("SERVICE", "PHASE", "NEW RELEASE", "GATES", "TO APPROVE")
        rows = [
            (each.service, each.phase, f"{each.weight} %", "off" if each.ungated else "on", each.checksum or "-")
            for each in found
        ]
        typer.echo(table_text(headings, rows) if rows else f"{name} has no canaries.")
    if failed := [each.service for each in found if each.failed_in_promotion]:
        raise CommandError(
            f"the promotion of {', '.join(failed)} has failed: the pods that serve are not ready with the new release. "
            "Make them ready (where the release is to blame: `kubectl rollout undo deployment NAME-primary`), then "
            "correct the release and run `altlas up`, or go back by `altlas rollback`; before, Flagger fails any"
        )
    if ungated := [each.service for each in found if each.ungated]:
        raise CommandError(
            f"gates are off for {', '.join(ungated)}, as a skip that was killed leaves them; turn them on by "
            f"`kubectl --namespace {platform.namespace} patch {KIND} NAME --type=merge --patch='{GATED}'`"
        )


@app.command()
def approve(
    stack: _StackArgument,
    service: _ServiceArgument,
    checksum: Annotated[str, typer.Argument(metavar="CHECKSUM", help="Release, as `altlas canary list` names it.")],
    why: _WhyOption,
    target: TargetOption = None,
) -> None:
    """Let the release of a checksum, and no other, be promoted; the reason is kept in the ledger."""
    _decide("approve", stack, service, why, target, checksum=checksum)
    typer.echo(f"The release {checksum} of {service} was promoted.")


@app.command()
def abort(stack: _StackArgument, service: _ServiceArgument, why: _WhyOption, target: TargetOption = None) -> None:
    """Take a release that is being judged back, at Flagger's next check; the reason is kept in the ledger."""
    _decide("abort", stack, service, why, target)
    typer.echo(f"The release of {service} was taken back. `altlas up` does not try it again: correct it, or roll back.")


@app.command()
def skip(stack: _StackArgument, service: _ServiceArgument, why: _WhyOption, target: TargetOption = None) -> None:
    """Promote a release without its gates, in an emergency; the reason is kept in the ledger."""
    _decide("skip", stack, service, why, target)
    typer.echo(f"The release of {service} was promoted without its gates.")


def _decide(decision: Decision, stack: str, service: str, why: str, target: str | None, *, checksum: str = "") -> None:
    here = workspace()
    platform = read_platform(here.stack_file(stack))
    if service not in platform.canaries():
        having = ", ".join(platform.canaries()) or "none"
        raise CommandError(f"{service} has no canary in {stack}; services with one: {having}", ExitCode.BAD_INPUT)
    session = engine_session(here, choose_target(here, target), report)
    with here.only_one(f"canary {decision} {stack}"):
        state_on_its_cluster(session, stack, platform)
        canary = judged_canary(session.kubectl, platform.namespace, service)
        if decision == "approve":
            approvable(session.kubectl, platform.namespace, canary, checksum)
        found = canary_state(canary)
        body = {"reason": why, "decision": decision, "service": service, "phase": found.phase, "weight": found.weight}
        body |= {"checksum": checksum} if checksum else {}
        # Before the change: what a crash interrupts was done by a person all the same.
        entry = ledger_of(here, stack, os.environ).append("canary", person(here.root), body)
        report(f"Entry {entry.number} of the ledger: {decision} the canary of {service}, by {entry.by}.")
        decide(session.kubectl, platform.namespace, canary, decision, checksum)
