"""Figures that tests measure, printed in one table at the end of the run."""

from collections.abc import Callable
from dataclasses import dataclass

PROPERTY = "figure"
"""Name under which a figure travels with its test's report, also from one process to another."""


@dataclass(frozen=True)
class Figures:
    """Collects the figures of one test."""

    record: Callable[[str, object], None]

    def add(self, what: str, value: str) -> None:
        """Add a line to the table."""
        self.record(PROPERTY, f"{what}: {value}")
