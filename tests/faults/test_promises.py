"""Figures beside the promises of docs/operating.md: those of docs/reliability.md."""

from pathlib import Path

import pytest

from tests.faults.cases import Fault, Outcome
from tests.faults.page import page
from tests.faults.promises import FIGURE, NOT_RUN, OPERATING, RELIABILITY, figure, main, named, rows, with_figures

TEST = "tests/faults/test_promises.py::test_every_row_of_altlas_stands_beside_a_promise"
RECORDS = [
    (Fault("lock of a dead process", "broken", "mock", TEST), "c", Outcome(99, 100)),
    (Fault("drift: changed", "found", "mock", TEST), "c", Outcome(1000, 1000)),
    (Fault("drift: removed", "found", "mock", TEST), "c", Outcome(286, 286)),
    (Fault("drift: removed", "found", "mock", TEST, "plain Pulumi"), "c", Outcome(0, 9)),
]


def test_the_figures_of_the_page_stand_beside_the_promises() -> None:
    """`make test-faults` writes both; by hand: `python -m tests.faults.promises`."""
    text, reliability = OPERATING.read_text("utf-8"), RELIABILITY.read_text("utf-8")
    assert with_figures(text, reliability) == text
    assert len(FIGURE.findall(text)) >= 8


def test_every_row_of_altlas_stands_beside_a_promise() -> None:
    """A fault that is recorded and that operators do not read about is one that nobody relies on."""
    known = rows(RELIABILITY.read_text("utf-8"))
    titles = [title for _, title in FIGURE.findall(OPERATING.read_text("utf-8"))]
    beside = {fault for title in titles for entry in title.split("; ") for fault in named(entry, known)}
    assert known.keys() - beside == set()


def test_a_wrong_figure_is_noticed_and_written(tmp_path: Path) -> None:
    """The control: another figure, and one that was never measured, are replaced."""
    operating, reliability = tmp_path / "operating.md", tmp_path / "reliability.md"
    operating.write_text('[1 of 1](reliability.md "drift: *") and [5 of 5](reliability.md "never tried")')
    reliability.write_text(page(RECORDS))
    main(operating, reliability)
    assert operating.read_text() == (
        f'[1,286 of 1,286](reliability.md "drift: *") and [{NOT_RUN}](reliability.md "never tried")'
    )


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("lock of a dead process", "99 of 100"),
        ("drift: *", "1,286 of 1,286"),
        ("drift: removed; lock of a dead process", "385 of 386"),
        ("drift: removed; never tried", NOT_RUN),
        ("lock*; never*", NOT_RUN),
    ],
)
def test_a_figure_is_the_sum_of_what_its_title_names(title: str, expected: str) -> None:
    """Other programs are not counted, and one fault without a row makes no figure."""
    known = rows(page(RECORDS))
    assert len(known) == 3
    assert figure(title, known) == expected
