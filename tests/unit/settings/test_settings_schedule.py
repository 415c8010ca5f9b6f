"""How long a schedule lets a store go without a dump."""

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
    ],
)
def test_the_longest_wait_is_found(schedule: str, wait: timedelta) -> None:
    """Nights, weekends and long months count."""
    assert longest_wait(schedule) == wait
