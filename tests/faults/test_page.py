"""The page of reliability: what was recorded, and nothing else."""

from pathlib import Path

import pytest

from tests.faults.cases import Cases, Fault
from tests.faults.page import NOT_STAGED, main


def _record(folder: Path, commit: str, *, subject: str = "altlas", held: int, of: int) -> None:
    cases = Cases(Fault("killed", "recovers", "sim", "tests/x.py::test_it[a]", subject), folder, commit)
    if of:
        cases.finish("all", held=held, of=of)


def test_the_page_says_what_was_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures, bound, test and commit; a baseline stands below the fault; what was not staged is named."""
    _record(tmp_path, "abc", held=1000, of=1000)
    _record(tmp_path, "abc", subject="plain Pulumi", held=3, of=4)
    _record(tmp_path, "abc", subject="helm", held=0, of=20)
    _record(tmp_path, "older", subject="another", held=1, of=1)
    assert main(tmp_path, "abc") == 0
    text = capsys.readouterr().out
    rows = [line for line in text.splitlines() if line.startswith("| killed")]
    assert rows == [
        "| killed | recovers | 1,000 of 1,000 | 0.3 % | sim | `tests/x.py` |",
        "| killed: helm | recovers | 0 of 20 | 100 % | sim | `tests/x.py` |",
        "| killed: plain Pulumi | recovers | 3 of 4 | 75 % | sim | `tests/x.py` |",
    ]
    assert "at commit `abc`" in text
    assert all(f"- {name}: " in text for name in NOT_STAGED)
    assert "- `tests/faults/test_locks.py`: not in the run of this commit." in text
    assert "test_page.py" not in text
    assert text.endswith(".\n")


def test_a_fault_that_this_machine_refuses_is_named_and_not_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without any finished case there is no row."""
    _record(tmp_path, "abc", held=0, of=0)
    assert main(tmp_path, "abc") == 0
    text = capsys.readouterr().out
    assert "- killed: this machine refused it." in text
    assert "| killed" not in text


def test_without_records_of_the_commit_there_is_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No figure is made up, and none is that of other code."""
    _record(tmp_path, "a", held=1, of=1)
    assert main(tmp_path, "b") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "has no records of the commit b; run `make test-faults`" in said.err
