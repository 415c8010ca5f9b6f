"""The command `altlas secrets rotate`."""

from typing import Annotated

import typer

from altlas.commands.options import AddonsOption, StackOption, TargetOption, YesOption


def rotate(
    keys: Annotated[list[str], typer.Argument(metavar="KEY", help="Generated secrets, such as natsRunnerPassword.")],
    stack: StackOption = "alpha",
    target: TargetOption = None,
    yes: YesOption = False,
    addons: AddonsOption = True,
) -> None:
    """Change secrets of a running stack and roll exactly the pods that use them; none of them is refused meanwhile."""
    from altlas.cli import report, workspace  # noqa: PLC0415
    from altlas.session.stack_secrets import ROTATION_WARNINGS  # noqa: PLC0415
    from altlas.update import rotation  # noqa: PLC0415

    here = workspace()
    request = rotation.Request(
        workspace=here,
        stack=stack,
        target=target,
        keys=tuple(keys),
        pulumi_options=("--yes",) if yes else (),
        with_addons=addons,
        report=report,
    )
    with here.only_one(f"secrets rotate --stack {stack}"):
        rotation.rotate(request)
    report(f"Rotated: {', '.join(keys)}.")
    for key in keys:
        if warning := ROTATION_WARNINGS.get(key):
            report(f"{key}: {warning}")
