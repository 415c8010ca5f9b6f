"""Cron schedules of the five usual fields, read far enough to say how long the longest wait between two runs is."""

import itertools
from datetime import datetime, timedelta

_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_FIELDS = len(_RANGES)
_WATCHED_DAYS = 63


def longest_wait(schedule: str) -> timedelta:
    """Longest time between two runs of a schedule, watched over nine weeks.

    Raises:
        ValueError: The text is no schedule of five fields, or it never runs in that time.
    """
    minutes, hours, days, months, weekdays = _read(schedule)
    first = datetime(2025, 1, 1)  # a calendar without time zones
    runs = [
        day + timedelta(hours=hour, minutes=minute)
        for day in (first + timedelta(days=number) for number in range(_WATCHED_DAYS))
        if day.day in days and day.month in months and day.isoweekday() % 7 in weekdays
        for hour in sorted(hours)
        for minute in sorted(minutes)
    ]
    waits = [later - earlier for earlier, later in itertools.pairwise(runs)]
    if not waits:
        raise ValueError(f"{schedule!r} runs less than twice in nine weeks; write a schedule such as '0 1 * * *'")
    return max(waits)


def _read(schedule: str) -> list[set[int]]:
    texts = schedule.split()
    if len(texts) != _FIELDS:
        raise ValueError(f"{schedule!r} is not a schedule of five fields; write one such as '0 1 * * *'")
    try:
        return [_values(text, *limits) for text, limits in zip(texts, _RANGES, strict=True)]
    except ValueError:
        raise ValueError(f"{schedule!r} is not a schedule; write minute, hour, day, month and weekday") from None


def _values(text: str, lowest: int, highest: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = lowest if span == "*" else int(first)
        end = highest if span == "*" or (step and not last) else int(last or first)
        values = set(range(start, end + 1, int(step or 1)))
        if not values or not values <= set(range(lowest, highest + 1)):
            raise ValueError(part)
        found |= values
    return found
