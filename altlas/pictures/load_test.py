"""Results of a load test: a table in a terminal, a document for programs, a page for a browser.

Owns how they read. Does not own the figures nor the verdict (`loadtests.measure`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from altlas.pictures.bars import Bar, chart
from altlas.pictures.html import Element, element, page, table
from altlas.session.table import table_text
from loadtests.measure import PERCENTILES, LoadFigures, LoadTarget, shortfalls

HEADINGS = ("TARGET", "RPS", "GOAL", "FAILED", "P50", "P95", "GOAL", "P99", "VERDICT")
_SLOWEST = 100


@dataclass(frozen=True)
class LoadTestResults:
    """Results of a load test.

    Attributes:
        stack: Stack whose limit counted.
        profile: Name of the profile.
        percent: Share of its load.
        warm_up: Seconds before each measurement.
        seconds: Seconds of each measurement.
        made: Moment of the end.
        found: Targets with what was measured.
        stand_ins: Whether stand-ins answered instead of the services.
    """

    stack: str
    profile: str
    percent: int
    warm_up: int
    seconds: int
    made: datetime
    found: tuple[tuple[LoadTarget, LoadFigures], ...]
    stand_ins: bool = False

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the targets that missed their goals."""
        return tuple(target.name for target, figures in self.found if shortfalls(target.goal, figures))


def load_test_text(results: LoadTestResults) -> str:
    """Table for people, one row for each target, with the reasons of what failed below."""
    rows = [_cells(target, figures) for target, figures in results.found]
    reasons = [
        f"{target.name}: {reason}" for target, figures in results.found for reason in shortfalls(target.goal, figures)
    ]
    return "\n".join([table_text(HEADINGS, rows), *reasons])


def load_test_document(results: LoadTestResults) -> dict[str, Any]:
    """Document for programs; times in milliseconds."""
    return {
        "stack": results.stack,
        "profile": results.profile,
        "percent": results.percent,
        "warmUpSeconds": results.warm_up,
        "seconds": results.seconds,
        "made": results.made.astimezone(UTC).isoformat(timespec="seconds"),
        "standIns": results.stand_ins,
        "passed": not results.failed,
        "targets": [
            {
                "name": target.name,
                "url": target.url,
                "users": target.users,
                "goal": {
                    "requestsPerSecond": target.goal.requests_per_second,
                    "p95Milliseconds": target.goal.p95_milliseconds,
                },
                "requestsPerSecond": round(figures.rate, 1),
                "answered": figures.answered,
                "failures": dict(figures.failures),
                "milliseconds": {
                    "max" if percent == _SLOWEST else f"p{percent}": round(value, 2)
                    for percent, value in figures.percentiles.items()
                },
                "shortfalls": list(shortfalls(target.goal, figures)),
            }
            for target, figures in results.found
        ],
    }


def load_test_page(results: LoadTestResults) -> str:
    """Page for a browser: the table, and the percentiles as bars."""
    made = results.made.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    failed = ", ".join(results.failed)
    head = [
        element("p", f"Failed: {failed}" if failed else "All goals are met.", class_="over" if failed else "quiet"),
        element(
            "p",
            f"{results.percent} % of the profile {results.profile}; {results.warm_up} s of warm-up that do not count, "
            f"then {results.seconds} s for each target. Made {made}.",
            class_="quiet",
        ),
    ]
    rows = [_cells(target, figures) for target, figures in results.found]
    reasons: Sequence[Element] = [
        element("li", f"{target.name}: {reason}")
        for target, figures in results.found
        for reason in shortfalls(target.goal, figures)
    ]
    parts = [table("Answers per second and milliseconds, with their goals", HEADINGS, rows)]
    sections = [
        ("results", "Results", [*parts, element("ul", *reasons)] if reasons else parts),
        ("times", "Times", [_bars(target, figures) for target, figures in results.found]),
    ]
    return page(f"Load test of the stack {results.stack}", sections, head)


def _cells(target: LoadTarget, figures: LoadFigures) -> tuple[str, ...]:
    times = [f"{figures.percentiles[each]:.1f}" if figures.percentiles else "-" for each in PERCENTILES]
    return (
        target.name,
        f"{figures.rate:.1f}",
        str(target.goal.requests_per_second),
        f"{figures.failed_percent:.1f} %",
        *times[:2],
        str(target.goal.p95_milliseconds),
        times[2],
        "FAIL" if shortfalls(target.goal, figures) else "pass",
    )


def _bars(target: LoadTarget, figures: LoadFigures) -> Element:
    limit = target.goal.p95_milliseconds
    bars = [
        Bar(
            "slowest" if percent == _SLOWEST else f"p{percent}",
            value,
            f"{value:.1f} ms",
            is_over=percent == PERCENTILES[1] and value > limit,
        )
        for percent, value in figures.percentiles.items()
    ]
    if not bars:
        return element("p", f"{target.name}: no answer.")
    picture = chart(f"Times of {target.name} in milliseconds", bars, limit, f"p95 at most {limit} ms")
    return element("figure", element("figcaption", target.name), picture)
