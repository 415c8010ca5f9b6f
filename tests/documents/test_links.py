"""Links: every relative link and every page that code names exists, with its anchor."""

import re
from pathlib import Path

import pytest

from tests.documents.pages import ROOT, anchors, files, name_of, pages, without_code_blocks

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?: \"[^\"]*\")?\)")
NAMED_IN_CODE = re.compile(r"\bdocs/(?:[\w-]+/)*[\w-]+\.(?:md|svg|json)(?:#[\w-]+)?")
DECISION = re.compile(r"docs/adr/(\d{4})\b")
CODE = files("py")
EXAMPLES = {"components/services/report_service.py"}
PATH = re.compile(
    r"`((?:components|altlas|rendering|policy|cluster|tools|backup|images|tests|benchmarks|loadtests|docs)/[\w./-]+)`"
)


def missing(target: str, folder: Path) -> str:
    """Reason why a link leads nowhere; empty if it leads to a file and, where it names one, to a heading of it."""
    name, _, anchor = target.partition("#")
    path = (folder / name).resolve() if name else folder
    if not path.exists():
        return f"{target}: no such file"
    if anchor and anchor not in anchors(path.read_text(encoding="utf-8")):
        return f"{target}: no such heading"
    return ""


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    """Files and headings; addresses of other sites are not looked at."""
    text = page.read_text(encoding="utf-8")
    links = [link for link in LINK.findall(without_code_blocks(text)) if "://" not in link]
    own = [link for link in links if link.startswith("#")]
    assert [link for link in own if link[1:] not in anchors(text)] == []
    assert [reason for link in links if link not in own and (reason := missing(link, page.parent))] == []


def test_pages_that_code_names_exist() -> None:
    """In messages, docstrings and comments: `docs/operating.md#growing-a-volume`, `docs/adr/0002`."""
    records = {path.name[:4] for path in (ROOT / "docs" / "adr").glob("[0-9]*.md")}
    problems = []
    for path in CODE:
        text = path.read_text(encoding="utf-8")
        problems += [f"{name_of(path)}: {each}" for each in NAMED_IN_CODE.findall(text) if missing(each, ROOT)]
        problems += [f"{name_of(path)}: ADR {each}" for each in DECISION.findall(text) if each not in records]
    assert problems == []


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_paths_in_a_page_exist(page: Path) -> None:
    """Files and folders of the repository that a sentence names, but for the file of the guide's example."""
    named = PATH.findall(without_code_blocks(page.read_text(encoding="utf-8")))
    assert [path for path in named if path not in EXAMPLES and not (ROOT / path).exists()] == []


def test_a_link_to_nowhere_is_noticed() -> None:
    """The control: a file and a heading that do not exist."""
    assert missing("no-such-page.md", ROOT)
    assert missing("README.md#no-such-heading", ROOT)
    assert not missing("docs/operating.md#growing-a-volume", ROOT)
