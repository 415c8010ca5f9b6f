"""Commands in the documents: a shell takes every line, and every command, option, target and module of ours exists."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents.commands import Command, commands, problem
from tests.documents.pages import ROOT, name_of, pages

PAGES = [page for page in pages() if page != ROOT / "CHANGELOG.md"]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_of_a_page_exist(page: Path) -> None:
    """In blocks each line with all its arguments, in sentences each name with its options."""
    found = commands(page.read_text(encoding="utf-8"))
    assert [reason for command in found if (reason := problem(command))] == []


VALUE = "VALUE"
"""Stands for a value in the middle of a message."""


def messages(source: str) -> Iterator[str]:
    """Texts of a source, with a name in place of each value."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else VALUE for part in node.values]
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("folder", ["altlas", "backup", "cluster", "components", "policy", "rendering", "tools"])
def test_commands_of_messages_exist(folder: str) -> None:
    """A message that names the next command names one that there is, with its options."""
    wrong = []
    for file in sorted((ROOT / folder).rglob("*.py")):
        spans = {
            span
            for text in messages(file.read_text("utf-8"))
            for span in re.findall(rf"`(altlas (?!{VALUE})[^`\n]+)`", text)
        }
        wrong += [
            f"{name_of(file)}: {reason}" for span in sorted(spans) if (reason := problem(Command(span, is_whole=False)))
        ]
    assert wrong == []


def test_a_wrong_command_of_a_message_is_noticed() -> None:
    """The control, with a value in the middle of the message."""
    (text,) = [text for text in messages('f"run `altlas up {name} --wings`"') if text.count("`") == 2]
    assert text == f"run `altlas up {VALUE} --wings`"


@pytest.mark.parametrize("page", ["docs/operating.md", "README.md", "CONTRIBUTING.md", "docs/backups.md"])
def test_commands_are_read(page: str) -> None:
    """The control of the reader: these pages have commands of ours."""
    found = commands((ROOT / page).read_text(encoding="utf-8"))
    assert any("altlas" in command.text or "make" in command.text for command in found)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("altlas fly alpha", "no such command: fly"),
        ("altlas backups redis", "an earlier name of backup list: backups"),
        ("altlas up --wings", "no such option: --wings"),
        ("altlas destroy alpha beta gamma", "unexpected extra argument"),
        ("make wonders", "no such target: wonders"),
        ("python3 -m no_such_module", "no such module"),
        ("kubectl get --raw /query?query=topk(5,up)", "no shell takes it"),
    ],
)
def test_a_wrong_command_is_noticed(line: str, reason: str) -> None:
    """The control: unknown commands, options, targets and modules, surplus arguments, and what no shell takes."""
    assert reason in problem(Command(line, is_whole=True))
