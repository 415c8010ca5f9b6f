"""Command groups that import the module of a command only when that command is invoked.

`altlas --help` and shell completion therefore cost no import of Pydantic, Pulumi or cryptography, and every other
module can import at its top.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True)
class Entry:
    """One command or group in a table of commands.

    Attributes:
        target: `module:attribute` below `altlas.commands`: a function, or the `typer.Typer` of a group.
        summary: One line for the help of the group that holds it.
        panel: Heading under which the help lists it.
    """

    target: str
    summary: str
    panel: str | None = None

    def load(self, name: str) -> TyperCommand | TyperGroup:
        """Import the command."""
        module, _, attribute = self.target.partition(":")
        found = getattr(importlib.import_module(f"altlas.commands.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            app = command_group()
            app.command(name)(found)
            found = app
        command = typer.main.get_command(found)
        assert isinstance(command, TyperCommand | TyperGroup)
        return command


class LazyGroup(TyperGroup):
    """A group whose commands stand in a table.

    Attributes:
        entries: Commands by name, in the order of the help.
        renamed: Earlier names of commands by what they are called now, from the command's own name on. They go on to
            work, with a line on standard error that says what to type.
    """

    entries: ClassVar[Mapping[str, Entry]] = {}
    renamed: ClassVar[Mapping[str, str]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, entry in self.entries.items():
            self.commands[name] = TyperCommand(name, help=entry.summary, rich_help_panel=entry.panel)
        for name in self.renamed:
            self.commands[name] = TyperCommand(name, hidden=True)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command to invoke, and import it."""
        name, command, rest = super().resolve_command(ctx, args)
        if new := self.renamed.get(name or ""):
            typer.echo(f"`altlas {name}` is now `altlas {new}`", err=True)
            command = self._find(ctx, new)
        elif entry := self.entries.get(name or ""):
            command = entry.load(name or "")
        return name, command, rest

    def _find(self, ctx: Any, path: str) -> Any:
        command: Any = self
        for word in path.split():
            _, command, _ = command.resolve_command(ctx, [word])
        return command


def command_group(**settings: Any) -> typer.Typer:
    """A group of commands that prints its help without one, and a traceback as Python does."""
    defaults = {"no_args_is_help": True, "add_completion": False, "pretty_exceptions_enable": False}
    return typer.Typer(**{**defaults, **settings})


def lazy_group(entries: Mapping[str, Entry], renamed: Mapping[str, str] | None = None, **settings: Any) -> typer.Typer:
    """A group of the commands of a table.

    Args:
        entries: Commands by name.
        renamed: Present names by the earlier ones.
        settings: Arguments of `typer.Typer`.
    """
    app = command_group(cls=type("Group", (LazyGroup,), {"entries": entries, "renamed": renamed or {}}), **settings)
    app.callback()(lambda: None)
    return app
