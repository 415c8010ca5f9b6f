"""Options that several commands of `altlas` have, so that each means the same and says the same everywhere."""

from typing import Annotated

import typer

from cluster import TARGETS

StackOption = Annotated[str, typer.Option("--stack", "-s", help="Stack to work on.")]
TargetOption = Annotated[
    str | None, typer.Option(help=f"Cluster to work on: {', '.join(TARGETS)}. Without it the variable TARGET.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before changing a cluster.")]
AddonsOption = Annotated[
    bool, typer.Option("--addons/--no-addons", envvar="ALT_LAS_ADDONS", help="Install the cluster's pinned addons.")
]
