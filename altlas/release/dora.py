"""DORA's five metrics of software delivery, from the ledger of a stack.

Owns the figures, their definitions and their three forms (text, JSON, Prometheus). Definitions: dora.dev, "DORA's
software delivery performance metrics", as updated on 2026-01-05. A figure of fewer than five cases is not given.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from altlas.release.deployments import Deployment

FEWEST = 5
"""Cases below which a figure says more about chance than about the team."""

NOT_ENOUGH = "not enough data"


@dataclass(frozen=True)
class Metric:
    """One of the five.

    Attributes:
        name: DORA's name.
        definition: DORA's definition.
        unit: `seconds`, `ratio`, or `per week`.
        value: The figure, a median where it is a time; None where there are too few cases.
        cases: Number of cases it rests on.
    """

    name: str
    definition: str
    unit: str
    value: float | None
    cases: int

    @property
    def series(self) -> str:
        """Name of the metric for Prometheus."""
        unit = {"seconds": "seconds", "ratio": "ratio", "per week": "per_week"}[self.unit]
        return f"alt_las_delivery_{self.name.replace(' ', '_')}_{unit}"

    @property
    def text(self) -> str:
        """The figure for people."""
        if self.value is None:
            return NOT_ENOUGH
        if self.unit == "seconds":
            return str(timedelta(seconds=round(self.value)))
        return f"{self.value:.0%}" if self.unit == "ratio" else f"{self.value:.1f} per week"


def metrics(deployments: Sequence[Deployment], now: datetime, days: int) -> tuple[Metric, ...]:
    """The five metrics over a window of time.

    A deployment failed if it did not end well, if a rollback names it, or if the next one is a rework: an unplanned
    deployment because of an incident. It has recovered with the end of the next deployment that ended well.

    Args:
        deployments: All deployments of the stack.
        now: End of the window.
        days: Length of the window.
    """
    recent = [each for each in deployments if now - timedelta(days=days) <= each.began <= now]
    failed = _failed(recent)
    lead = [
        (each.ended - each.committed).total_seconds()
        for each in recent
        if each.ended and each.committed and each.result == "succeeded" and each.reason != "rollback"
    ]
    recovery = [seconds for each in failed if (seconds := _recovery(each, recent)) is not None]
    rework = [each for each in recent if each.reason == "rework"]
    number = len(recent)
    return (
        _metric(0, lead, median),
        _metric(1, recent, lambda all_: len(all_) * 7 / days),
        _metric(2, recovery, median),
        _metric(3, recent, lambda _: len(failed) / number),
        _metric(4, recent, lambda _: len(rework) / number),
    )


_DEFINITIONS = (
    (
        "change lead time",
        "the amount of time it takes for a change to go from committed to version control to deployed in production",
        "seconds",
    ),
    (
        "deployment frequency",
        "the number of deployments over a given period or the time between deployments",
        "per week",
    ),
    (
        "failed deployment recovery time",
        "the time it takes to recover from a deployment that fails and requires immediate intervention",
        "seconds",
    ),
    (
        "change fail rate",
        "the ratio of deployments that require immediate intervention following a deployment",
        "ratio",
    ),
    (
        "deployment rework rate",
        "the ratio of deployments that are unplanned but happen as a result of an incident in production",
        "ratio",
    ),
)


def as_text(found: Sequence[Metric]) -> Iterator[tuple[str, str, str]]:
    """Rows of a table: name, figure, cases."""
    for metric in found:
        yield metric.name, metric.text, str(metric.cases)


def as_json(found: Sequence[Metric]) -> list[dict[str, Any]]:
    """The metrics as plain data; a value that is null rests on too few cases."""
    return [asdict(metric) for metric in found]


def as_prometheus(found: Sequence[Metric], stack: str) -> str:
    """The metrics in Prometheus' text format; one without enough data has no sample."""
    lines: list[str] = []
    for metric in found:
        lines += [f"# HELP {metric.series} {metric.definition}", f"# TYPE {metric.series} gauge"]
        if metric.value is not None:
            lines.append(f'{metric.series}{{stack="{stack}"}} {metric.value:g}')
    return "\n".join(lines) + "\n"


def _metric(index: int, cases: Sequence[Any], value: Callable[[Sequence[Any]], float]) -> Metric:
    name, definition, unit = _DEFINITIONS[index]
    return Metric(name, definition, unit, float(value(cases)) if len(cases) >= FEWEST else None, len(cases))


def _failed(recent: Sequence[Deployment]) -> list[Deployment]:
    rolled_back = {each.of for each in recent if each.reason == "rollback"}
    followers = [*recent, None][1:]
    return [
        each
        for each, next_one in zip(recent, followers, strict=True)
        if each.result != "succeeded"
        or each.number in rolled_back
        or (next_one is not None and next_one.reason == "rework")
    ]


def _recovery(failed: Deployment, recent: Sequence[Deployment]) -> float | None:
    """Seconds from the end of a failed deployment to that of the next good one; None while there is none."""
    later = (each for each in recent if each.number > failed.number and each.result == "succeeded")
    good = next(later, None)
    if good is None or good.ended is None:
        return None
    return (good.ended - (failed.ended or failed.began)).total_seconds()
