"""The one polling loop of all commands: ask until the answer is enough or the time is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryError, Retrying, retry_if_not_result, stop_after_delay, wait_fixed

Answer = TypeVar("Answer")


def wait_for(
    ask: Callable[[], Answer],
    is_enough: Callable[[Answer], bool] = bool,
    *,
    seconds: float,
    poll_seconds: float,
) -> Answer:
    """Return the first answer that is enough, or the last answer when the time is over.

    Only the caller knows the cause and the cure of an answer that is not enough, so it raises the error.

    Args:
        ask: Called at once, then after each pause. What it raises ends the wait.
        is_enough: Decides on each answer; by default whatever counts as true is enough.
        seconds: Time limit, checked after each answer; 0 asks once.
        poll_seconds: Pause between an answer and the next question.
    """
    retrying = Retrying(
        retry=retry_if_not_result(is_enough), stop=stop_after_delay(seconds), wait=wait_fixed(poll_seconds)
    )
    try:
        return retrying(ask)
    except RetryError as error:
        last: Answer = error.last_attempt.result()
        return last
