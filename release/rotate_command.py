"""The command `altlas secrets rotate`."""

from typing import Annotated

import typer


def rotate(
    keys: Annotated[list[str], typer.Argument(metavar="KEY", help="Generated secrets, such as apiGatewayJwtSecret.")],
    stack: Annotated[str, typer.Option("--stack", "-s", help="Stack to work on.")] = "alpha",
    target: Annotated[str | None, typer.Option(envvar="TARGET", help="Cluster to work on.")] = None,
) -> None:
    """Generate secrets anew in the stack file; the next `altlas up` rolls exactly the pods that use them."""
    import os  # noqa: PLC0415

    from components.settings.loading import read_platform  # noqa: PLC0415
    from release import secrets as stack_secrets  # noqa: PLC0415
    from release import up as flow  # noqa: PLC0415
    from release.cli import report, workspace  # noqa: PLC0415

    here = workspace()
    stack_file = here.stack_file(stack)
    read_platform(stack_file)
    stack_secrets.check_rotation(keys)
    stack_secrets.check_passphrase(here, stack_file, os.environ)
    with here.only_one(f"secrets rotate --stack {stack}"):
        session = flow.engine_session(here, flow.choose_target(here, target), report)
        stack_secrets.rotate_secrets(session.engine, stack, keys)
    report(f"Generated anew in {stack_file.name}: {', '.join(keys)}. Deploy with `altlas up --stack {stack}`.")
    for key in keys:
        if warning := stack_secrets.ROTATION_WARNINGS.get(key):
            report(f"{key}: {warning}")
