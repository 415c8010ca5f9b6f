"""Arguments and options that several commands have, so that each means the same and reads the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

from altlas.session.console import workspace
from altlas.session.durable_file import try_to_write
from cluster import TARGETS
from components.stack.documents import stack_files
from rendering.errors import CommandError, ExitCode

DEFAULT_STACK = "alpha"


def known_stacks() -> list[str]:
    """Stacks that have a file, for shell completion."""
    return list(stack_files(workspace().root))


_NAME = "Name of a stack, such as alpha."
_NAME_OR_FILE = "Name of a stack, or a stack file ending in .yaml."

Stack = Annotated[str, typer.Argument(metavar="STACK", help=_NAME, autocompletion=known_stacks)]
FromStack = Annotated[str, typer.Argument(metavar="FROM", help=_NAME, autocompletion=known_stacks)]
ToStack = Annotated[str, typer.Argument(metavar="TO", help=_NAME, autocompletion=known_stacks)]
FromSide = Annotated[str, typer.Argument(metavar="FROM", help=_NAME_OR_FILE, autocompletion=known_stacks)]
ToSide = Annotated[str, typer.Argument(metavar="TO", help=_NAME_OR_FILE, autocompletion=known_stacks)]
StackArgument = Annotated[
    str | None,
    typer.Argument(metavar="STACK", help="Stack to work on.", show_default=DEFAULT_STACK, autocompletion=known_stacks),
]
StackOption = Annotated[
    str | None, typer.Option("--stack", "-s", help="The same as STACK.", autocompletion=known_stacks)
]
TargetOption = Annotated[
    str | None, typer.Option(help=f"Cluster to work on: {', '.join(TARGETS)}. Without it the variable TARGET.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before changing a cluster.")]
AddonsOption = Annotated[
    bool, typer.Option("--addons/--no-addons", envvar="ALT_LAS_ADDONS", help="Install the cluster's pinned addons.")
]
PreflightOption = Annotated[
    bool, typer.Option("--preflight/--no-preflight", help="Check the cluster first, as `altlas preflight` does.")
]
LeaveMessagesOption = Annotated[
    bool,
    typer.Option("--leave-messages", help="Change the number of NATS servers although messages there are unread."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def said(text: str | None) -> str | None:
    """Text for the ledger as a person gave it, which must not be empty.

    Raises:
        BadParameter: It is.
    """
    if text is not None and not text.strip():
        raise typer.BadParameter("is empty; the ledger records it, so say why")
    return text


IncidentOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Incident that makes this unplanned; recorded as a rework.", callback=said),
]
OverrideOption = Annotated[
    str | None,
    typer.Option(metavar="REASON", help="Go on although releases are stopped; recorded in the ledger.", callback=said),
]


def writable(path: Path | None) -> Path | None:
    """The path of a file that a command writes at its end, checked at its begin.

    Raises:
        CommandError: Nothing can be written there.
    """
    try:
        if path is not None:
            try_to_write(path)
    except OSError as error:
        raise CommandError(
            f"cannot write {path}: {error.strerror}; name another file. Nothing was changed",
            ExitCode.BAD_INPUT,
        ) from None
    return path


def one_stack(argument: str | None, option: str | None, default: str = DEFAULT_STACK) -> str:
    """The stack that a command line names, as an argument or as an option.

    Raises:
        CommandError: Both are given and differ.
    """
    if argument is not None and option is not None and argument != option:
        raise CommandError(
            f"two stacks are named: {argument} and --stack {option}; name one. Nothing was changed", ExitCode.BAD_INPUT
        )
    return argument if argument is not None else option if option is not None else default
