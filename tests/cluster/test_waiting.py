"""The polling loop of the commands."""

from collections.abc import Iterator

import pytest

from cluster.waiting import wait_for

LONG_SECONDS = 60


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the clock by one that only pauses move; holds the pauses so far."""
    made: list[float] = []
    monkeypatch.setattr("time.sleep", made.append)
    monkeypatch.setattr("time.monotonic", lambda: sum(made))
    return made


def _answers(*values: int | None) -> Iterator[int | None]:
    yield from values


def test_the_first_answer_that_is_enough_ends_the_wait(pauses: list[float]) -> None:
    """And no later one is asked for."""
    answers = _answers(None, 0, 7, 8)
    assert wait_for(lambda: next(answers), seconds=LONG_SECONDS, poll_seconds=2) == 7
    assert pauses == [2, 2]
    assert next(answers) == 8


def test_what_is_enough_can_be_said(pauses: list[float]) -> None:
    """Some wait for the end of something."""
    answers = _answers(3, 1, None)
    assert wait_for(lambda: next(answers), lambda answer: answer is None, seconds=LONG_SECONDS, poll_seconds=1) is None
    assert pauses == [1, 1]


def test_the_last_answer_is_returned_when_the_time_is_over(pauses: list[float]) -> None:
    """The caller can name what is still missing."""
    answers = _answers(5, 4, 3, 2, 1)
    assert wait_for(lambda: next(answers), lambda left: not left, seconds=2, poll_seconds=1) == 3
    assert pauses == [1, 1]


def test_without_time_one_question_is_asked(pauses: list[float]) -> None:
    """As a process that is to be killed at once is asked for."""
    answers = _answers(None, 1)
    assert wait_for(lambda: next(answers), seconds=0, poll_seconds=1) is None
    assert not pauses


def test_an_error_ends_the_wait(pauses: list[float]) -> None:
    """It arrives as it was raised."""

    def ask() -> bool:
        raise ValueError("the process has ended")

    with pytest.raises(ValueError, match="the process has ended"):
        wait_for(ask, seconds=LONG_SECONDS, poll_seconds=1)
    assert not pauses


def test_what_is_still_missing_is_reported_every_ten_seconds(pauses: list[float]) -> None:
    """A user sees what is waited for; a short wait says nothing."""
    answers = _answers(*range(25, 0, -1), 0)
    reports: list[tuple[float, int | None]] = []
    wait_for(
        lambda: next(answers),
        lambda left: not left,
        seconds=LONG_SECONDS,
        poll_seconds=1,
        report=lambda left: reports.append((sum(pauses), left)),
    )
    assert reports == [(11, 14), (21, 4)]


def test_a_passing_error_is_asked_through_until_the_time_is_over(pauses: list[float]) -> None:
    """The last one is raised then; any other one at once."""
    errors = iter([OSError("away"), OSError("away"), ValueError("wrong"), *[OSError("gone")] * 5])

    def ask() -> bool:
        raise next(errors)

    for seconds, error in ((LONG_SECONDS, ValueError), (3, OSError)):
        with pytest.raises(error, match=r"wrong|gone"):
            wait_for(ask, seconds=seconds, poll_seconds=1, is_passing=lambda problem: isinstance(problem, OSError))
    assert len(pauses) == 2 + 3
