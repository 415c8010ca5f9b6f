"""Commands in the documents: a shell takes every line, and every command, option, target and module of ours exists."""

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
