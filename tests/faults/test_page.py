"""The page of reliability: what was recorded, and nothing else."""

from pathlib import Path

import pytest

from tests.faults.cases import Cases, Fault, note_refusal
from tests.faults.page import NOT_STAGED, main

TEST = "tests/faults/test_page.py::test_the_page_says_what_was_recorded[a]"


def _record(folder: Path, commit: str, *, subject: str = "altlas", held: int, of: int, test: str = TEST) -> None:
    cases = Cases(Fault("killed", "recovers", "sim", test, subject), folder, commit)
    if of:
        cases.finish("all", held=held, of=of)


def _earlier(folder: Path, *rows: str) -> Path:
    page = folder / "page.md"
    page.write_text("".join(f"{row}\n" for row in ("# Reliability", *rows)))
    return page


def test_the_page_says_what_was_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures, bound, test and commit; a baseline stands below the fault; what was not staged is named."""
    _record(tmp_path, "abc", held=1000, of=1000)
    _record(tmp_path, "abc", subject="plain Pulumi", held=3, of=4)
    _record(tmp_path, "older", subject="helm", held=0, of=20)
    _record(tmp_path, "older", subject="a removed test", held=1, of=1, test="tests/faults/test_page.py::test_it")
    _record(tmp_path, "older", subject="a removed file", held=1, of=1, test="tests/x.py::test_it")
    assert main(tmp_path, _earlier(tmp_path)) == 0
    text = capsys.readouterr().out
    rows = [line for line in text.splitlines() if line.startswith("| killed")]
    assert rows == [
        "| killed | recovers | 1,000 of 1,000 | 0.3 % | sim | `tests/faults/test_page.py` | `abc` |",
        "| killed: helm | recovers | 0 of 20 | 100 % | sim | `tests/faults/test_page.py` | `older` |",
        "| killed: plain Pulumi | recovers | 3 of 4 | 75 % | sim | `tests/faults/test_page.py` | `abc` |",
    ]
    assert all(f"- {name}: " in text for name in NOT_STAGED)
    assert "- `tests/faults/test_locks.py`: not run yet." in text
    assert "- `tests/faults/test_page.py`" not in text
    assert text.endswith(".\n")


def test_cases_for_which_a_run_had_no_time_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the row of those that were tried; of a test that is gone nothing is said."""
    for test in (TEST, "tests/faults/test_page.py::test_that_is_gone"):
        subject = "altlas" if test == TEST else "helm"
        cases = Cases(Fault("killed", "recovers", "sim", test, subject), tmp_path, "abc", seconds=0)
        for key in cases.left(["1", "2", "3"]):
            cases.finish(key, held=True)
    assert main(tmp_path, _earlier(tmp_path)) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "further cases" in line]
    assert said == ["- killed: 2 further cases, or groups of them."]


def test_rows_of_an_earlier_run_stay_until_their_file_is_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With their commit, and with what was not tried of them; those of a file that is gone do not stay."""
    _record(tmp_path, "new", held=2, of=2)
    row = "| {} | recovers | 1 of 1 | 95 % | sim | `tests/{}` | `old` |".format
    kept, again, gone = row("a", "faults/test_locks.py"), row("z", "faults/test_page.py"), row("b", "x.py")
    left = [f"- {name}: 7 further cases, or groups of them." for name in "azb"]
    assert main(tmp_path, _earlier(tmp_path, kept, again, gone, *left)) == 0
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if "further cases" in line] == left[:1]
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`" in line]
    assert rows == [
        kept,
        "| killed | recovers | 2 of 2 | 78 % | sim | `tests/faults/test_page.py` | `new` |",
    ]
    assert "- `tests/faults/test_locks.py`" not in text


def test_a_folder_that_this_machine_stages_no_fault_of_is_named_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Instead of files that were not run; a run that does stage them takes the reason away."""
    _record(tmp_path, "abc", held=1, of=1)
    file = "tests/node/platform/test_under_faults.py"
    note_refusal("tests/node/platform", "not proven here: no root", tmp_path)
    assert main(tmp_path, _earlier(tmp_path)) == 0
    assert f"- `{file}`: not proven here: no root.\n" in capsys.readouterr().out
    note_refusal("tests/node/platform", None, tmp_path)
    assert main(tmp_path, _earlier(tmp_path)) == 0
    assert f"- `{file}`: not run yet.\n" in capsys.readouterr().out


def test_a_fault_that_this_machine_refuses_is_named_and_not_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without any finished case there is no row."""
    _record(tmp_path, "abc", held=0, of=0)
    assert main(tmp_path, _earlier(tmp_path)) == 0
    text = capsys.readouterr().out
    assert "- killed: this machine refused it." in text
    assert "| killed" not in text


def test_without_records_there_is_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No figure is made up."""
    assert main(tmp_path, _earlier(tmp_path)) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "has no records; run `make test-faults`" in said.err
