"""Records of cases: counted, resumed, and the exact bound."""

import json
from pathlib import Path

import pytest

from tests.faults.cases import Cases, Fault, Outcome, most_failures, read_postponed, read_records

FAULT = Fault("a fault", "holds", "mock", "tests/faults/test_cases.py::test")


@pytest.mark.parametrize(
    ("failed", "cases", "bound"),
    [
        (0, 1000, 1 - 0.05 ** (1 / 1000)),
        (0, 1, 0.95),
        (1, 10, 0.3941633),
        (3, 100, 0.0757103),
        (4, 4, 1.0),
        (0, 0, 1.0),
        (0, 100_000, 2.9957e-5),
    ],
)
def test_the_bound_is_that_of_clopper_and_pearson(failed: int, cases: int, bound: float) -> None:
    """Without failures it is 1 - 0.05 ** (1/n); the others are quantiles of the beta distribution from tables."""
    assert most_failures(failed, cases) == pytest.approx(bound, rel=1e-4)


def test_a_case_that_raises_has_not_held(tmp_path: Path) -> None:
    """And a skip is no case; the failure goes on to the test."""
    cases = Cases(FAULT, tmp_path, "a")
    with cases.trying("1"):
        pass
    with pytest.raises(AssertionError), cases.trying("2"):
        raise AssertionError
    with pytest.raises(pytest.skip.Exception), cases.trying("3"):
        pytest.skip("not staged here")
    assert (cases.outcome, cases.broken) == (Outcome(1, 2), ["2"])


def test_finished_cases_are_not_tried_again(tmp_path: Path) -> None:
    """A harness that was ended in the middle of a line tries that case again; another commit begins again."""
    first = Cases(FAULT, tmp_path, "a")
    first.finish("1", held=True)
    first.finish("2", held=False)
    first.finish("many", held=9, of=10)
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text() + '["3", tr')
    again = Cases(FAULT, tmp_path, "a")
    assert list(again.left(["1", "2", "3", "many", "4"])) == ["3", "4"]
    assert again.outcome == Outcome(10, 12)
    assert again.broken == ["2", "many"]
    assert read_records(tmp_path) == [(FAULT, "a", Outcome(10, 12))]
    other = Cases(FAULT, tmp_path, "b")
    assert list(other.left(["1", "2"])) == ["1", "2"]
    assert read_records(tmp_path) == [(FAULT, "b", Outcome(0, 0))]
    assert json.loads(file.read_text())["commit"] == "b"


def test_cases_without_time_are_noted_until_a_run_has_time_for_them(tmp_path: Path) -> None:
    """One is tried in any case, so that each run brings every fault further."""
    short = Cases(FAULT, tmp_path, "a", seconds=0)
    for key in short.left(["1", "2", "3"]):
        short.finish(key, held=True)
    assert short.outcome == Outcome(1, 1)
    assert read_postponed(tmp_path) == {FAULT: 2}
    long = Cases(FAULT, tmp_path, "a")
    assert list(long.left(["1", "2", "3"])) == ["2", "3"]
    assert read_postponed(tmp_path) == {}
    assert read_records(tmp_path) == [(FAULT, "a", Outcome(1, 1))]


def test_a_case_after_a_cut_line_is_read(tmp_path: Path) -> None:
    """The cut line does not swallow the next one."""
    Cases(FAULT, tmp_path, "a").finish("1", held=True)
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text() + '["2", 1')
    Cases(FAULT, tmp_path, "a").finish("3", held=True)
    assert Cases(FAULT, tmp_path, "a").outcome == Outcome(2, 2)
