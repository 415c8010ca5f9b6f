"""The command `altlas restore`."""

from typing import Annotated

import typer


def restore(
    store: Annotated[str, typer.Argument(help="Store to recover: postgres.")],
    at: Annotated[str, typer.Option(metavar="TIME", help="Moment to recover to, with its time zone.")],
    into: Annotated[str, typer.Option(metavar="NAME", help="Name that the copy gets; never that of the live one.")],
    stack: Annotated[str, typer.Option("--stack", "-s", help="Stack to work on.")] = "alpha",
) -> None:
    """Print the objects of a copy of a store at a moment, for `kubectl apply`; the live one is not touched."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from components.settings.loading import read_platform  # noqa: PLC0415
    from release import restore as recovery  # noqa: PLC0415
    from release.cli import report, workspace  # noqa: PLC0415
    from release.program import record  # noqa: PLC0415
    from release.render import as_yaml  # noqa: PLC0415

    platform = read_platform(workspace().stack_file(stack))
    recovery.check_request(store, into, platform)
    moment = recovery.parse_moment(at, datetime.now(UTC))
    objects = record(stack, platform.model_dump(mode="json", by_alias=True)).objects
    for manifest in recovery.recovered_cluster(objects, into, moment):
        typer.echo("---\n" + as_yaml(manifest), nl=False)
    report("What the operator makes of these objects is not proven here; look at the copy before services use it.")
