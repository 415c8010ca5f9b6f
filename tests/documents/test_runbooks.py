"""Runbooks: their index says of each page what the page says itself."""

import re

from tests.documents.pages import ROOT

FOLDER = ROOT / "docs" / "runbooks"
ROW = re.compile(r"^\| \[(\w+)\]\(([\w-]+\.md)\) \| (\w+) \| (.+) \|$", re.MULTILINE)


def test_the_index_lists_every_runbook_with_its_severity_and_meaning() -> None:
    """One row for each page, sorted; its meaning is how the page's section Meaning begins."""
    rows = ROW.findall((FOLDER / "README.md").read_text(encoding="utf-8"))
    assert [row[1] for row in rows] == sorted(path.name for path in FOLDER.glob("*.md") if path.name != "README.md")
    for alert, page, severity, meaning in rows:
        text = (FOLDER / page).read_text(encoding="utf-8")
        assert text.startswith(f"# {alert}\n\nSeverity: {severity}\n\n## Meaning\n\n"), page
        assert text.partition("## Meaning\n\n")[2].startswith(meaning), page
