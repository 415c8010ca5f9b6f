"""The commands `altlas secrets ...`: generated secrets of a stack, encrypted in its stack file."""

import os
from typing import Annotated

import typer

from altlas.commands.lazy import command_group
from altlas.commands.options import (
    AddonsOption,
    OverrideOption,
    StackArgument,
    StackOption,
    TargetOption,
    YesOption,
    known_stacks,
    one_stack,
)
from altlas.release.deployments import recorded
from altlas.release.ledger import ledger_of
from altlas.release.released import check_rotation
from altlas.session import stack_secrets
from altlas.session.console import report, workspace
from altlas.session.session import choose_target, engine_session
from altlas.update import rotation
from altlas.update.up import prepare_stack
from components.settings.secrets import SECRETS
from components.stack.loading import read_platform
from rendering.errors import CommandError, ExitCode

app = command_group(help="Generated secrets: create, reset, rotate.")


@app.command()
def init(stack: StackArgument = None, stack_option: StackOption = None, target: TargetOption = None) -> None:
    """Generate the secrets that a stack needs and does not have yet, encrypted in its stack file."""
    here, name = workspace(), one_stack(stack, stack_option)
    stack_file = here.stack_file(name)
    read_platform(stack_file)
    stack_secrets.check_passphrase(here, stack_file, os.environ)
    with here.only_one(f"secrets init --stack {name}"):
        session = engine_session(here, choose_target(here, target), report)
        prepare_stack(session, name, report, may_replace_secrets=True)


@app.command()
def reset(stack: StackArgument = None, stack_option: StackOption = None) -> None:
    """Remove the encrypted values from a stack file whose passphrase is lost; `secrets init` makes new ones."""
    here, name = workspace(), one_stack(stack, stack_option)
    with here.only_one(f"secrets reset --stack {name}"):
        removed = stack_secrets.reset_secrets(here.stack_file(name))
    report(f"Removed from {here.stack_file(name).name}: {', '.join(removed) or 'nothing'}.")


@app.command()
def rotate(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[STACK] KEY", help="Secrets such as natsRunnerPassword; a stack may stand before them."
        ),
    ],
    stack_option: StackOption = None,
    target: TargetOption = None,
    yes: YesOption = False,
    *,
    addons: AddonsOption = True,
    override: OverrideOption = None,
) -> None:
    """Replace generated secrets of a running stack by new ones and restart only the pods that use them.

    Stores accept the old and the new password until all pods use the new one, so that no login fails.
    """
    here = workspace()
    # No secret is called like a stack, so the first word can be either.
    named, stacks = words[0] not in {secret.key for secret in SECRETS}, known_stacks()
    if named and words[0] not in stacks:
        raise CommandError(
            f"{words[0]!r} is neither a stack nor a secret. Stacks are: {', '.join(stacks)}. Nothing was changed",
            ExitCode.BAD_INPUT,
        )
    stack, keys = one_stack(words[0] if named else None, stack_option), words[1 if named else 0 :]
    if not keys:
        raise typer.BadParameter("name at least one secret, such as natsRunnerPassword", param_hint="KEY")
    ledger = ledger_of(here, stack, os.environ)
    request = rotation.RotationRequest(
        workspace=here,
        stack=stack,
        target=target,
        keys=tuple(keys),
        pulumi_options=("--yes",) if yes else (),
        with_addons=addons,
        report=report,
        around=lambda session: recorded(ledger, session, stack, facts={"rotated": keys}),
    )
    with here.only_one(f"secrets rotate --stack {stack}"):
        check_rotation(here, stack, ledger, override or "")
        rotation.rotate(request)
    report(f"Rotated: {', '.join(keys)}.")
    for key in keys:
        if warning := stack_secrets.ROTATION_WARNINGS.get(key):
            report(f"{key}: {warning}")
