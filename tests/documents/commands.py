"""Commands in the documents: the lines of their shell blocks and code spans, and whether such a command exists."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import typer
from typer._click import Context, exceptions  # typer brings its own copy of click and offers no other name for it
from typer.core import TyperGroup

from altlas.cli import app
from tests.documents.pages import ROOT, blocks, without_code_blocks

SHELLS = ("", "sh", "bash")
"""Languages of blocks whose lines are commands."""

_MODULE = ("python", "python3", ".venv/bin/python")
_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@dataclass(frozen=True)
class Command:
    """One command of a document.

    Attributes:
        text: The line.
        is_whole: Whether it can be run as it stands: a line of a block, not a name in a sentence.
    """

    text: str
    is_whole: bool


def commands(page: str) -> Iterator[Command]:
    """Commands of a page: each line of its blocks, and each code span that begins with a program of ours."""
    for block in blocks(page, SHELLS):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                yield Command(line.strip(), is_whole=True)
    for span in re.findall(r"`([^`\n]+)`", without_code_blocks(page)):
        if re.match(r"(altlas|make|python3? -m) ", span):
            yield Command(span, is_whole=False)


def problem(command: Command) -> str:
    """Reason why a command cannot work; empty if there is none, or the program is not ours."""
    if command.is_whole and not _shell_takes(command.text):
        return f"{command.text}: no shell takes it"
    for part in re.split(r"\||&&|;|\$\(|\)", re.sub(r"\s#\s.*", "", command.text)):
        words = [word for word in _words(part) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
        if words and (reason := _problem_of(words, is_whole=command.is_whole)):
            return f"{command.text}: {reason}"
    return ""


def _words(text: str) -> list[str]:
    """Words of a command; what is optional in brackets counts, dots that stand for more do not."""
    plain = re.sub(r"[\[\]]", " ", text.replace('"', " "))
    try:
        words = shlex.split(plain)
    except ValueError:
        words = plain.split()
    return [word.removeprefix(".venv/bin/") for word in words if not word.startswith("...")]


def _problem_of(words: Sequence[str], *, is_whole: bool) -> str:
    if words[0] == "altlas":
        return _problem_of_altlas(words[1:], is_whole=is_whole)
    if words[0] == "make":
        unknown = [word for word in words[1:] if "=" not in word and word not in _TARGETS]
        return f"no such target: {unknown[0]}" if unknown else ""
    if words[0] in _MODULE and words[1:2] == ["-m"]:
        return "" if find_spec(words[2]) else f"no such module: {words[2]}"
    return ""


def _problem_of_altlas(words: Sequence[str], *, is_whole: bool) -> str:
    """Parse with the command line itself; a name in a sentence may lack arguments."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            return f"no such command: {rest[0]}"
        if new := getattr(command, "renamed", {}).get(rest[0]):
            return f"an earlier name of {new}: {rest[0]}"
        _, command, rest = command.resolve_command(Context(command), rest)
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in known | {"--help"}]
    if unknown:
        return f"no such option: {unknown[0]}"
    try:
        if is_whole:
            command.make_context("altlas", rest)
    except typer.Exit:
        return ""
    except exceptions.ClickException as error:
        return str(error.format_message())
    return ""


def _shell_takes(line: str) -> bool:
    return subprocess.run(["bash", "-n"], input=line, capture_output=True, text=True, check=False).returncode == 0
