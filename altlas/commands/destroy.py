"""The command `altlas destroy`: everything that a stack owns goes, its data only where its name was typed."""

from typing import Annotated

import typer

from altlas.commands.options import StackOption, TargetOption, YesOption
from components.stack.loading import read_platform
from rendering.errors import CommandError


def destroy(
    stack: StackOption = "alpha",
    target: TargetOption = None,
    yes: YesOption = False,
    with_data: Annotated[
        str | None, typer.Option(metavar="STACK", help="Also remove its data; type the stack's name to confirm.")
    ] = None,
) -> None:
    """Remove everything that a stack owns from the cluster. The stack and its settings stay."""
    from altlas.backup.job import remove_jobs  # noqa: PLC0415
    from altlas.cli import report, workspace  # noqa: PLC0415
    from altlas.update import data_guard  # noqa: PLC0415
    from altlas.update import up as flow  # noqa: PLC0415
    from altlas.update.cluster_identity import state_on_its_cluster  # noqa: PLC0415

    here = workspace()
    stack_file = here.stack_file(stack)
    platform = read_platform(stack_file)
    with here.only_one(f"destroy --stack {stack}"):
        chosen = flow.choose_target(here, target)
        report(str(chosen))
        session = flow.start_session(here, chosen, report)
        state = state_on_its_cluster(session.engine, session.kubectl, stack)
        if data_guard.check_removal(state, stack, with_data):
            remove_jobs(session.kubectl, platform.namespace)
            data_guard.release_protection(session.engine, stack, state)
        options = ("--yes", "--skip-preview") if yes or chosen.name == "sim" else ()
        if session.engine.run(*session.engine.arguments("destroy", stack, options)):
            raise CommandError(f"the stack {stack} is not completely removed; correct the cause and destroy it again")
