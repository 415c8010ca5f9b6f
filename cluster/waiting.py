"""The one polling loop of all commands: ask until the answer is enough or the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryError, Retrying, retry_if_exception, retry_if_not_result, stop_after_delay, wait_fixed

Answer = TypeVar("Answer")
REPORT_SECONDS = 10


def wait_for(
    ask: Callable[[], Answer],
    is_enough: Callable[[Answer], bool] = bool,
    *,
    seconds: float,
    poll_seconds: float,
    report: Callable[[Answer], None] | None = None,
    is_passing: Callable[[BaseException], bool] = lambda _: False,
) -> Answer:
    """Return the first answer that is enough, or the last answer when the time is over.

    Only the caller knows the cause and the cure of an answer that is not enough, so it raises the error.

    Args:
        ask: Called at once, then after each pause.
        is_enough: Decides on each answer; by default whatever counts as true is enough.
        seconds: Time limit, checked after each answer; 0 asks once.
        poll_seconds: Pause between an answer and the next question.
        report: Called every ten seconds with an answer that is not enough.
        is_passing: Decides on what `ask` raises: whether to ask again until the time is over; by default never.
    """
    next_report = time.monotonic() + REPORT_SECONDS

    def is_last(answer: Answer) -> bool:
        nonlocal next_report
        if is_enough(answer):
            return True
        if report and time.monotonic() > next_report:
            report(answer)
            next_report += REPORT_SECONDS
        return False

    retrying = Retrying(
        retry=retry_if_not_result(is_last) | retry_if_exception(is_passing),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(poll_seconds),
    )
    try:
        return retrying(ask)
    except RetryError as error:
        last: Answer = error.last_attempt.result()
        return last
