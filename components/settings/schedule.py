"""Cron schedules of five fields, and the longest wait between two runs of one."""

import functools
import itertools
import re
from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError

_FIELDS = 5
# Kubernetes knows neither cronsim's letters nor 7 for Sunday, and reads a step without a range otherwise there.
_WEEKDAY = r"(?:\*(?:/\d+)?|[0-6](?:-[0-6](?:/\d+)?)?)"
_KUBERNETES = re.compile(rf"\s*(?:[\d*,/-]+\s+){{4}}{_WEEKDAY}(?:,{_WEEKDAY})*\s*")
_START = datetime(2025, 1, 1)  # a calendar without time zones
_END = _START + timedelta(weeks=9)


@functools.cache
def longest_wait(schedule: str) -> timedelta:
    """Return the longest time between two runs of a schedule, watched over nine weeks.

    Raises:
        ValueError: The text is no schedule of five fields, or runs less than twice in that time.
    """
    if len(schedule.split()) != _FIELDS:
        raise ValueError(f"{schedule!r} is not a schedule of five fields; write one such as '0 1 * * *'")
    waits: list[timedelta] = []
    if _KUBERNETES.fullmatch(schedule):
        try:
            runs = itertools.takewhile(lambda run: run < _END, CronSim(schedule, _START - timedelta(minutes=1)))
            waits = [later - earlier for earlier, later in itertools.pairwise(runs)]
        except CronSimError:
            pass
    if not waits:
        raise ValueError(
            f"{schedule!r} is not a schedule or runs less than twice in nine weeks; write minute, hour, day, month and "
            "weekday, such as '0 1 * * *'"
        )
    return max(waits)
