"""The command `altlas secrets rotate`."""

from typing import Annotated

import typer


def rotate(
    keys: Annotated[list[str], typer.Argument(metavar="KEY", help="Generated secrets, such as natsRunnerPassword.")],
    stack: Annotated[str, typer.Option("--stack", "-s", help="Stack to work on.")] = "alpha",
    target: Annotated[str | None, typer.Option(envvar="TARGET", help="Cluster to work on.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before changing a cluster.")] = False,
    addons: Annotated[
        bool, typer.Option("--addons/--no-addons", envvar="ALT_LAS_ADDONS", help="Look after the cluster's addons.")
    ] = True,
) -> None:
    """Change secrets of a running stack and roll exactly the pods that use them; none of them is refused meanwhile."""
    from release import rotation  # noqa: PLC0415
    from release.cli import report, workspace  # noqa: PLC0415
    from release.secrets import ROTATION_WARNINGS  # noqa: PLC0415

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
