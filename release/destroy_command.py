"""The command `altlas destroy`: everything that a stack owns goes, its data only where its name was typed."""

from typing import Annotated

import typer

from components.settings.loading import read_platform
from release.errors import CommandError


def destroy(
    stack: Annotated[str, typer.Option("--stack", "-s", help="Stack to work on.")] = "alpha",
    target: Annotated[str | None, typer.Option(help="Cluster to work on. Without it the variable TARGET.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    with_data: Annotated[
        str | None, typer.Option(metavar="STACK", help="Also remove its data; type the stack's name to confirm.")
    ] = None,
) -> None:
    """Remove everything that a stack owns from the cluster. The stack and its settings stay."""
    from release import data_guard  # noqa: PLC0415
    from release import up as flow  # noqa: PLC0415
    from release.cli import report, workspace  # noqa: PLC0415
    from release.cluster_identity import check_cluster_identity  # noqa: PLC0415

    here = workspace()
    stack_file = here.stack_file(stack)
    read_platform(stack_file)
    with here.only_one(f"destroy --stack {stack}"):
        chosen = flow.choose_target(here, target)
        report(str(chosen))
        session = flow.start_session(here, chosen, report)
        state = data_guard.exported_state(session.engine, stack)
        check_cluster_identity(session.kubectl, stack, state)
        if data_guard.check_removal(state, stack, with_data):
            data_guard.release_protection(session.engine, stack, state)
        options = ("--yes", "--skip-preview") if yes or chosen.name == "sim" else ()
        if session.engine.run(*session.engine.arguments("destroy", stack, options)):
            raise CommandError(f"the stack {stack} is not completely removed; correct the cause and destroy it again")
