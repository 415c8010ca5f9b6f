"""Decision records: numbered, dated, with a status, and listed in their index."""

import re
from pathlib import Path

import pytest

from tests.documents.pages import ROOT

FOLDER = ROOT / "docs" / "adr"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
STATUS = r"proposed|accepted|superseded by ADR \d+"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)
def test_a_record_has_number_date_status_and_parts(path: Path) -> None:
    """Date as YYYY-MM-DD; status is proposed, accepted or superseded; Context, Decision and Consequences are there."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# ADR {int(path.name[:4])}: ")
    assert re.search(r"^- Date: 20\d\d-[01]\d-[0-3]\d$", text, re.MULTILINE)
    assert re.search(rf"^- Status: ({STATUS})$", text, re.MULTILINE)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_numbers_are_complete() -> None:
    """1, 2, 3 and so on: no record was removed and no number was used twice."""
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_the_index_lists_every_record_with_its_date_and_status() -> None:
    """The rows of docs/adr/README.md say what the records say."""
    rows = [line for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| [")]
    expected = []
    for path in RECORDS:
        text = path.read_text(encoding="utf-8")
        number, title = re.findall(r"^# ADR (\d+): (.+)$", text, re.MULTILINE)[0]
        (date,) = re.findall(r"^- Date: (.+)$", text, re.MULTILINE)
        (status,) = re.findall(r"^- Status: (.+)$", text, re.MULTILINE)
        expected.append(f"| [{number}. {title}]({path.name}) | {date} | {status} |")
    assert rows == expected
