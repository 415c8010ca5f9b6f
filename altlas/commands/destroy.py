"""The command `altlas destroy`."""

import os
from typing import Annotated

import typer

from altlas.backup.job import remove_jobs
from altlas.commands.options import OverrideOption, StackArgument, StackOption, TargetOption, YesOption, one_stack
from altlas.release.checkout import person
from altlas.release.ledger import ledger_of
from altlas.release.rules import check_stop
from altlas.session.consent import Consent
from altlas.session.console import report, workspace
from altlas.session.exported_state import is_deployed
from altlas.session.session import choose_target, engine_session, start_session
from altlas.update import data_guard
from altlas.update.cluster_identity import state_on_its_cluster
from components.stack.loading import read_platform
from rendering.errors import CommandError, ExitCode


def destroy(
    stack: StackArgument = None,
    stack_option: StackOption = None,
    target: TargetOption = None,
    yes: YesOption = False,
    *,
    with_data: Annotated[
        str | None, typer.Option(metavar="STACK", help="Also remove its data; type the stack's name to confirm.")
    ] = None,
    override: OverrideOption = None,
) -> None:
    """Remove everything that a stack owns from the cluster. The stack and its settings stay."""
    here, name = workspace(), one_stack(stack, stack_option)
    platform = read_platform(here.stack_file(name))
    with here.only_one(f"destroy --stack {name}"):
        ledger = ledger_of(here, name, os.environ)
        check_stop(here, name, ledger, override or "")
        chosen = choose_target(here, target)
        report(str(chosen))
        engine = engine_session(here, chosen, report).engine
        engine.check_unlocked(name)
        if not is_deployed(state := engine.exported_state(name)):
            raise CommandError(f"the stack {name} is not deployed, so there is nothing to remove", ExitCode.BAD_INPUT)
        data = data_guard.check_removal(state, name, with_data)
        session = start_session(here, chosen, report)
        state = state_on_its_cluster(session, name, platform)
        lost = f" with its data ({', '.join(data)})" if data else ""
        Consent(yes or chosen.belongs_to_checkout).ask(f"Remove everything of the stack {name}{lost}?")
        if data:
            remove_jobs(session.kubectl, platform.namespace)
            data_guard.release_protection(session.engine, name, state)
        ledger.append("destroy", person(here.root), {"target": chosen.name, "withData": with_data is not None})
        if session.engine.run(*session.engine.arguments("destroy", name, ("--yes", "--skip-preview"))):
            raise CommandError(f"the stack {name} is not completely removed; correct the cause and destroy it again")
