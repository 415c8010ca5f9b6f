"""Figures of a load test and the verdict over them. Standard library only: Locust's process imports it, too."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadtests.profiles import LEAST_RATE_PERCENT, MOST_FAILURES_PERCENT, LoadGoal

_WHOLE = 100
PERCENTILES = (50, 95, 99)
TARGET_VARIABLE = "LOAD_TEST_TARGET"
"""Environment variable with the document of `LoadTarget.document`."""


@dataclass(frozen=True)
class LoadTarget:
    """One address under load.

    Attributes:
        name: Service, or the whole path.
        url: What is asked for, with GET.
        users: Users at a time.
        goal: Requests per second to make, and the percentile to reach.
    """

    name: str
    url: str
    users: int
    goal: LoadGoal

    def document(self, warm_up: int, seconds: int) -> dict[str, Any]:
        """The target as the process that makes the requests reads it."""
        return {
            "url": self.url,
            "users": self.users,
            "requests_per_second": self.goal.requests_per_second,
            "warm_up": warm_up,
            "seconds": seconds,
        }


@dataclass(frozen=True)
class LoadFigures:
    """Figures of a load test, without the warm-up.

    Attributes:
        seconds: Length of the measurement.
        answered: Requests with a good answer (below 400) that began and ended in that time.
        failures: Number of the others by status or kind of error.
        percentiles: Milliseconds of the answers at 50, 95 and 99 %, and of the slowest at 100; empty without answers.
    """

    seconds: float
    answered: int
    failures: Mapping[str, int]
    percentiles: Mapping[int, float]

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answered / self.seconds

    @property
    def failed_percent(self) -> float:
        """Share of the requests that failed, in percent; 100 where there were none."""
        failed = sum(self.failures.values())
        return _WHOLE * failed / (failed + self.answered) if failed + self.answered else float(_WHOLE)


def read_figures(text: str) -> LoadFigures:
    """Figures as that process has written them.

    Raises:
        ValueError: The text is something else.
    """
    found = json.loads(text)
    percentiles = {int(percent): value for percent, value in found.pop("percentiles").items()}
    return LoadFigures(**found, percentiles=percentiles)


def measured(seconds: float, milliseconds: Sequence[float], failures: Mapping[str, int]) -> LoadFigures:
    """Figures of a measurement.

    Args:
        seconds: Its length.
        milliseconds: Time of each good answer.
        failures: Number of failures by kind.
    """
    ordered = sorted(milliseconds)
    found = {each: percentile(ordered, each) for each in (*PERCENTILES, _WHOLE)} if ordered else {}
    return LoadFigures(seconds, len(ordered), dict(failures), found)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Nearest-rank percentile of rising values: a value that really occurred."""
    return ordered[max(0, math.ceil(len(ordered) * percent / _WHOLE) - 1)]


def shortfalls(goal: LoadGoal, found: LoadFigures) -> tuple[str, ...]:
    """Reasons for which a test failed; none if it passed. No answer is never a pass."""
    reasons = []
    if found.failed_percent > MOST_FAILURES_PERCENT:
        kinds = ", ".join(f"{number} x {kind}" for kind, number in sorted(found.failures.items())) or "no answer at all"
        reasons.append(f"{found.failed_percent:.1f} % failed, more than {MOST_FAILURES_PERCENT:g} % ({kinds})")
    least = goal.requests_per_second * LEAST_RATE_PERCENT / _WHOLE
    if found.rate < least:
        reasons.append(f"{found.rate:.1f} answers per second, fewer than {least:g}")
    if found.percentiles and found.percentiles[95] > goal.p95_milliseconds:
        reasons.append(f"p95 {found.percentiles[95]:.0f} ms, above {goal.p95_milliseconds} ms")
    return tuple(reasons)
