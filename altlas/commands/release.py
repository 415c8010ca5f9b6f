"""The commands `altlas plan`, `show`, `approve`, `apply`, `freeze` and `unfreeze`: a release from plan to apply."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from altlas.commands.options import (
    IncidentOption,
    JsonOption,
    OverrideOption,
    StackArgument,
    StackOption,
    TargetOption,
    one_stack,
    said,
    writable,
)
from altlas.release import rules
from altlas.release.apply import Permission, apply_plan, check_offline
from altlas.release.approval import approve as sign
from altlas.release.approval import verified
from altlas.release.checkout import person
from altlas.release.ledger import Ledger, ledger_of
from altlas.release.plan import PlanFile, read_plan, write_plan
from altlas.release.plan_text import plan_text
from altlas.release.planning import make_plan
from altlas.release.rollback import choose_automatically, choose_release, release_workspace, with_rules_of
from altlas.session import stack_secrets
from altlas.session.console import report, workspace
from altlas.session.session import choose_target, start_session
from altlas.session.workspace import Workspace
from components.stack.loading import read_platform
from rendering.errors import CommandError, ExitCode

_AUTOMATIC = "automatic-rollback.json"
_FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="File of a plan.")]
_WhyOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Reason, for the ledger.", callback=said)]


def plan(
    stack: StackArgument = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="File to write.", callback=writable)],
    hours: Annotated[int | None, typer.Option(min=1, max=168, help="Time until it expires.")] = None,
    stack_option: StackOption = None,
    target: TargetOption = None,
) -> None:
    """Plan an update and seal everything that it depends on in a file; change nothing on the cluster."""
    here, name = workspace(), one_stack(stack, stack_option)
    platform = read_platform(here.stack_file(name))
    stack_secrets.check_passphrase(here, here.stack_file(name), os.environ)
    stack_secrets.check_supplied(here.stack_file(name), name, platform)
    with here.only_one(f"plan {name}"):
        ledger = ledger_of(here, name, os.environ)
        ledger.entries()
        chosen = choose_target(here, target)
        report(str(chosen))
        file = PlanFile(make_plan(start_session(here, chosen, report), name, platform, report, hours=hours))
        write_plan(output, file)
        body = {"plan": file.plan.digest, "steps": len(file.plan.steps), "expires": file.plan.expires}
        ledger.append("plan", person(here.root), body)
    typer.echo(plan_text(file))


def rollback(
    stack: StackArgument = None,
    *,
    to: Annotated[
        int | None, typer.Option(metavar="N", help="Release to go back to; without it the one before the last.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="File to write.", callback=writable)
    ] = None,
    automatic: Annotated[
        bool, typer.Option("--automatic", help="After a failed deployment: apply it at once; never twice.")
    ] = False,
    accept: Annotated[
        list[str] | None, typer.Option(metavar="OBJECT", help='Accept a step that nothing takes back, as "KIND NAME".')
    ] = None,
    stack_option: StackOption = None,
    target: TargetOption = None,
) -> None:
    """Plan to go back to a recorded release: program, settings, images and secrets together; data stays.

    With --automatic, for a pipeline after an apply that failed: goes to the release before, without signatures, if
    release.automaticRollback allows it and every step can be undone.
    """
    here, name = workspace(), one_stack(stack, stack_option)
    rules = read_platform(here.stack_file(name)).release
    _check_options(automatic=automatic, named=to is not None or bool(accept), has_file=output is not None)
    with here.only_one(f"rollback {name}"):
        ledger = ledger_of(here, name, os.environ)
        if automatic:
            back = choose_automatically(ledger, name, rules)
        else:
            back = replace(choose_release(ledger, name, to), accepted=tuple(accept or ()))
        earlier = release_workspace(here, ledger, name, back.release)
        platform = with_rules_of(here, earlier, name)
        chosen = choose_target(here, target)
        report(str(chosen))
        file = PlanFile(make_plan(start_session(earlier, chosen, report), name, platform, report, back=back))
        write_plan(output or here.private / _AUTOMATIC, file)
        body = {"plan": file.plan.digest, "steps": len(file.plan.steps), "of": back.of, "release": back.release}
        ledger.append("plan", person(here.root), body)
        typer.echo(plan_text(file))
        if automatic:
            _apply(here, ledger, file, chosen.name, Permission())


def show(file: _FileArgument, as_json: JsonOption = False) -> None:
    """Print a plan and check its approvals, without cluster, engine or network."""
    found = read_plan(file)
    here = workspace()
    if as_json:
        document = {**found.plan.model_dump(mode="json"), "digest": found.plan.digest}
        typer.echo(json.dumps(document, indent=2))
    else:
        typer.echo(plan_text(found))
    signers = here.root / read_platform(here.stack_file(found.plan.stack)).release.allowed_signers
    for each in found.approvals:
        who, key = verified(found.plan, each, signers)
        report(f"approved by {who}, key {key}")


def approve(
    file: _FileArgument,
    key: Annotated[Path, typer.Option(metavar="FILE", help="SSH key to sign with, as ssh-keygen takes it.")],
) -> None:
    """Sign a plan with an SSH key that the repository allows; never one's own plan."""
    found, here = read_plan(file), workspace()
    stack = found.plan.stack
    signers = here.root / read_platform(here.stack_file(stack)).release.allowed_signers
    envelope = sign(found.plan, key.expanduser(), signers)
    who, fingerprint = verified(found.plan, envelope, signers)
    if who in {verified(found.plan, each, signers)[0] for each in found.approvals}:
        raise CommandError(f"{who} has approved this plan already. Nothing was changed", ExitCode.REFUSED)
    body = {"plan": found.plan.digest, "approver": who, "key": fingerprint}
    ledger_of(here, stack, os.environ).append("approve", person(here.root), body)
    write_plan(file, found.with_approval(envelope))
    typer.echo(f"{who} approves the plan {found.plan.digest} of the stack {stack} until {found.plan.expires}.")


def apply(
    file: _FileArgument,
    target: TargetOption = None,
    override: OverrideOption = None,
    incident: IncidentOption = None,
) -> None:
    """Apply exactly what was planned and approved; refuse at the first difference, before anything is written."""
    found, here = read_plan(file), workspace()
    stack = found.plan.stack
    with here.only_one(f"apply of a plan of {stack}"):
        asked = Permission(override=override or "", incident=incident or "")
        _apply(here, ledger_of(here, stack, os.environ), found, target or found.plan.target, asked)


def _check_options(*, automatic: bool, named: bool, has_file: bool) -> None:
    if automatic and named:
        raise CommandError(
            "--automatic goes to the release before and accepts no step by name; leave out --to and --accept. Nothing "
            "was changed",
            ExitCode.BAD_INPUT,
        )
    if not automatic and not has_file:
        raise CommandError("name the file of the plan by --output FILE. Nothing was changed", ExitCode.BAD_INPUT)


def _apply(here: Workspace, ledger: Ledger, found: PlanFile, target: str, asked: Permission) -> None:
    """Apply a plan while the lock of the checkout is held."""
    stack = found.plan.stack
    applied = release_workspace(here, ledger, stack, found.plan.release) if found.plan.release else here
    platform = with_rules_of(here, applied, stack)
    permission = check_offline(applied, found, platform, ledger, asked)
    chosen = choose_target(here, target)
    report(str(chosen))
    recording = apply_plan(start_session(applied, chosen, report), found.plan, platform, ledger, permission)
    if recording.is_nothing:
        raise CommandError(
            "the plan has no step: nothing was done, and the ledger counts no deployment", ExitCode.NOTHING
        )
    if applied is not here:
        report(
            f"Program and stack file of this checkout are still the later ones; those that run are in {applied.root}."
        )
    typer.echo(f"Applied the plan {found.plan.digest} to the stack {stack}: entry {recording.number} of the ledger.")


def freeze(why: _WhyOption, stack: StackArgument = None, stack_option: StackOption = None) -> None:
    """Stop all releases of a stack until `altlas unfreeze`."""
    _mark("freeze", one_stack(stack, stack_option), why)


def unfreeze(why: _WhyOption, stack: StackArgument = None, stack_option: StackOption = None) -> None:
    """End the stop by `altlas freeze`; freeze windows of the stack file end by themselves."""
    _mark("unfreeze", one_stack(stack, stack_option), why)


def _mark(kind: Literal["freeze", "unfreeze"], stack: str, why: str) -> None:
    here = workspace()
    settings = read_platform(here.stack_file(stack)).release
    ledger = ledger_of(here, stack, os.environ)
    window = rules.freeze(settings, (), datetime.now(UTC))
    if kind == "unfreeze" and not rules.stop_in_force(ledger.entries()):
        still = f"; they are {window}, which ends by itself" if window else ""
        raise CommandError(f"no `altlas freeze` stops releases of {stack}{still}", ExitCode.BAD_INPUT)
    entry = ledger.append(kind, person(here.root), {"why": why})
    now = f"are no longer stopped, but still {window}" if window else "are allowed again"
    now = "are stopped" if kind == "freeze" else now
    typer.echo(f"Releases of {stack} {now}: entry {entry.number} of the ledger, by {entry.by}.")
