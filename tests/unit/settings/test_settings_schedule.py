"""Time that a schedule lets a store go without a dump."""

from datetime import timedelta

import pytest

from components.settings.schedule import longest_wait


@pytest.mark.parametrize(
    ("schedule", "wait"),
    [
        ("0 1 * * *", timedelta(days=1)),
        ("*/15 * * * *", timedelta(minutes=15)),
        ("0 1,13 * * *", timedelta(hours=12)),
        ("0 8-18/2 * * *", timedelta(hours=14)),
        ("30 2 * * 1-5", timedelta(days=3)),
        ("0 0 1 * *", timedelta(days=31)),
        ("0 0 * * 0,6", timedelta(days=6)),
        # Kubernetes runs where the day of the month or the weekday fits, if both are given.
        ("0 0 1 * 1", timedelta(days=7)),
    ],
)
def test_the_longest_wait_is_found(schedule: str, wait: timedelta) -> None:
    """Nights, weekends and long months count."""
    assert longest_wait(schedule) == wait


@pytest.mark.parametrize(
    "schedule",
    [
        "@daily",
        "0 0 1 * * *",
        "60 1 * * *",
        "5-1 1 * * *",
        "*/0 1 * * *",
        "1,, 1 * * *",
        "0 1 L * *",
        "0 1 * * 7",
        "0 1 * * 1#2",
        "0 1 * * MON",
        "0 1 * * 1/2",
        "0 1 30 2 *",
    ],
)
def test_what_kubernetes_would_read_otherwise_is_refused(schedule: str) -> None:
    """Letters, seconds and 7 for Sunday are dialects of other crons; nothing runs on 30 February."""
    with pytest.raises(ValueError, match="write"):
        longest_wait(schedule)
