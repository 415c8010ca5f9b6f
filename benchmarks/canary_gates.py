"""Quality of the decisions of canary gates: `make canary-gates`.

Simulates thousands of metric streams of each kind against several settings of the gates and counts wrong decisions. The
random numbers have a seed, so the page is the same each time. Nothing is measured: the page says what it rests on.
"""

import random
import statistics
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import exp, lgamma, log, sqrt
from pathlib import Path
from statistics import NormalDist

from altlas.release.canary_gates import (
    DEFAULT_GATES,
    CanaryDecision,
    CanaryGates,
    CanaryVerdict,
    CanaryWindow,
    decide,
)

STREAMS = 10_000
MOST_FALSE_PROMOTIONS_PERCENT, MOST_FALSE_ABORTS_PERCENT = 0.1, 1.0
_REQUESTS_PER_SECOND = 200
_USUAL_ERRORS, _FLAPPING_ERRORS = 0.001, 0.05
_LATENCY_SPREAD = 0.6
_TAIL = 0.95
_ERROR_NOISE, _LATENCY_NOISE, _NOISE_LEVELS = 0.2, 0.01, 41
_SHORTEST_FLAP, _LONGEST_FLAP = 30.0, 600.0
_NORMAL = NormalDist()
_SECONDS_PER_MINUTE = 60
_TEMPLATE = Path(__file__).with_name("canary_gates.txt")

GATES: Mapping[str, CanaryGates] = {
    "default": DEFAULT_GATES,
    "first failure": replace(DEFAULT_GATES, threshold=1),
    "five failures": replace(DEFAULT_GATES, threshold=5),
    "one minute": replace(DEFAULT_GATES, interval_seconds=60),
    "p95 instead of p99": replace(DEFAULT_GATES, quantile=0.95),
    "original platform": CanaryGates(
        interval_seconds=900, threshold=1, most_errors_percent=1, quantile=0.95, latency_factor=2, least_requests=0
    ),
}
"""Settings that are compared. The original platform's plan: at most 1 % of errors, p95 at most 500 ms (twice of what it
measured), a quarter of an hour for each step, and no least number of requests."""


@dataclass(frozen=True, kw_only=True)
class StreamKind:
    """Kind of stream.

    Attributes:
        is_good: True if the release must be promoted, false if it must not.
        more_errors: Errors beyond the usual ones, as a share of the requests.
        tail: Times of the slowest 5 % of the requests, in parts of the usual ones.
        traffic: Requests, in parts of the usual ones.
        flaps: True if many requests fail during every other half of a period that is drawn.
        loses_data: True if there is no data from a moment on that is drawn.
    """

    is_good: bool = False
    more_errors: float = 0.0
    tail: float = 1.0
    traffic: float = 1.0
    flaps: bool = False
    loses_data: bool = False


KINDS: Mapping[str, StreamKind] = {
    "no change": StreamKind(is_good=True),
    "+0.5 points of errors": StreamKind(more_errors=0.005),
    "+20 % p99": StreamKind(tail=1.2),
    "missing data": StreamKind(loses_data=True),
    "flapping": StreamKind(flaps=True),
    "low traffic": StreamKind(traffic=0.0025),
}


class _Stream:
    """One release of a kind: what each check sees, one interval after the other."""

    def __init__(self, kind: StreamKind, gates: CanaryGates, chance: random.Random) -> None:
        self._kind, self._gates, self._chance, self._checks = kind, gates, chance, 0
        self._period = chance.uniform(_SHORTEST_FLAP, _LONGEST_FLAP)
        self._phase = chance.uniform(0, self._period)
        whole = gates.interval_seconds * len(gates.steps)
        self._data_end = chance.uniform(0, whole) if kind.loses_data else None

    def look(self, percent: int) -> CanaryWindow | None:
        """Figures of the next interval."""
        length = self._gates.interval_seconds
        begin = self._checks * length
        self._checks += 1
        if self._data_end is not None and begin + length > self._data_end:
            return None
        requests = int(_REQUESTS_PER_SECOND * self._kind.traffic * length * percent / 100)
        rate = _USUAL_ERRORS * exp(_ERROR_NOISE * self._noise()) + self._kind.more_errors
        if self._kind.flaps:
            rate += _FLAPPING_ERRORS * _bad_share(begin + self._phase, length, self._period)
        share = slow_share(self._gates, self._kind.tail, exp(_LATENCY_NOISE * self._noise()))
        return CanaryWindow(requests, self._count(requests * rate), self._count(requests * share))

    def _noise(self) -> float:
        """A standard normal number, of few different ones, so that distributions are made once."""
        return _NORMAL.inv_cdf((self._chance.randrange(_NOISE_LEVELS) + 0.5) / _NOISE_LEVELS)

    def _count(self, mean: float) -> int:
        lowest, cumulated = _poisson(round(mean, 2))
        return lowest + bisect_left(cumulated, self._chance.random() * cumulated[-1])


@cache
def _poisson(mean: float) -> tuple[int, Sequence[float]]:
    """Lowest number that is worth counting, and the cumulated probabilities from it on."""
    reach = int(10 * sqrt(mean) + 20)
    lowest, total, cumulated = max(0, int(mean) - reach), 0.0, []
    for number in range(lowest, int(mean) + reach):
        total += exp(number * log(mean) - mean - lgamma(number + 1)) if mean else float(number == 0)
        cumulated.append(total)
    return lowest, cumulated


@cache
def slow_share(gates: CanaryGates, tail: float, noise: float) -> float:
    """Share of the requests beyond the bound of the latency gate; times are spread log-normally.

    Args:
        gates: Gates with the quantile and its bound.
        tail: Times of the slowest requests, in parts of the usual ones.
        noise: All times, in parts of the usual ones.
    """
    bound = _NORMAL.inv_cdf(gates.quantile) + log(gates.latency_factor / noise) / _LATENCY_SPREAD
    begin = _NORMAL.inv_cdf(_TAIL)
    slowed = 1 - _NORMAL.cdf(max(begin, bound - log(tail) / _LATENCY_SPREAD))
    return slowed + max(0.0, _TAIL - _NORMAL.cdf(bound))


def _bad_share(begin: float, length: float, period: float) -> float:
    """Share of a time that lies in the second halves of periods."""

    def bad_until(moment: float) -> float:
        whole, rest = divmod(moment, period)
        return whole * period / 2 + max(0.0, rest - period / 2)

    return (bad_until(begin + length) - bad_until(begin)) / length


def simulate(kind: str, gates: str, streams: int) -> list[CanaryDecision]:
    """Decisions over so many streams of a kind."""
    chance = random.Random(f"{kind} {gates}")  # noqa: S311  # the same numbers each time are wanted
    return [decide(GATES[gates], _Stream(KINDS[kind], GATES[gates], chance).look) for _ in range(streams)]


@dataclass(frozen=True)
class GateQuality:
    """Quality of one setting of the gates.

    Attributes:
        promoted_percent: Promoted streams by kind, in percent.
        minutes: Median time of the decision by kind, in minutes.
    """

    promoted_percent: Mapping[str, float]
    minutes: Mapping[str, float]

    @property
    def false_promotions_percent(self) -> float:
        """Wrong promotions of the kind that has the most of them."""
        return max(self.promoted_percent[name] for name, kind in KINDS.items() if not kind.is_good)

    @property
    def false_aborts_percent(self) -> float:
        """Wrong aborts of the kind that has the most of them."""
        return max(100 - self.promoted_percent[name] for name, kind in KINDS.items() if kind.is_good)

    @property
    def is_good_enough(self) -> bool:
        """True if both are within their bounds."""
        return (
            self.false_promotions_percent <= MOST_FALSE_PROMOTIONS_PERCENT
            and self.false_aborts_percent <= MOST_FALSE_ABORTS_PERCENT
        )


def quality(gates: str, streams: int = STREAMS) -> GateQuality:
    """Quality of one of `GATES`."""
    promoted, minutes = {}, {}
    for name in KINDS:
        ends = simulate(name, gates, streams)
        promoted[name] = 100 * sum(each.verdict is CanaryVerdict.PROMOTED for each in ends) / streams
        minutes[name] = statistics.median(each.seconds for each in ends) / _SECONDS_PER_MINUTE
    return GateQuality(promoted, minutes)


def page(found: Mapping[str, GateQuality]) -> str:
    """The page of the documents over the figures of all settings."""
    default = DEFAULT_GATES
    return _TEMPLATE.read_text(encoding="utf-8").format(
        streams=f"{STREAMS:,}",
        rate=_REQUESTS_PER_SECOND,
        usual=100 * _USUAL_ERRORS,
        flapping=100 * _FLAPPING_ERRORS,
        interval=default.interval_seconds // _SECONDS_PER_MINUTE,
        threshold=default.threshold,
        errors=default.most_errors_percent,
        factor=default.latency_factor,
        least=default.least_requests,
        promotions=MOST_FALSE_PROMOTIONS_PERCENT,
        aborts=MOST_FALSE_ABORTS_PERCENT,
        gates="\n".join(_row(name, *_settings(GATES[name])) for name in found),
        decisions="\n".join(_row(name, *_decisions(each)) for name, each in found.items()),
        kinds="\n".join(
            _row(kind, *(f"{each.promoted_percent[kind]:.2f} in {each.minutes[kind]:g}" for each in found.values()))
            for kind in KINDS
        ),
        names=_row("stream", *found),
        line=_row(*("---" for _ in range(len(found) + 1))),
    )


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _settings(gates: CanaryGates) -> tuple[str, ...]:
    return (
        f"{gates.interval_seconds // _SECONDS_PER_MINUTE} min",
        str(gates.threshold),
        f"{gates.most_errors_percent:g} %",
        f"p{100 * gates.quantile:g} at most {gates.latency_factor:g} x",
        str(gates.least_requests),
    )


def _decisions(found: GateQuality) -> tuple[str, ...]:
    bad = statistics.median(found.minutes[name] for name, kind in KINDS.items() if not kind.is_good)
    return (
        f"{found.false_promotions_percent:.2f} %",
        f"{found.false_aborts_percent:.2f} %",
        f"{found.minutes['no change']:g} min",
        f"{bad:g} min",
        "yes" if found.is_good_enough else "no",
    )


if __name__ == "__main__":
    print(page({name: quality(name) for name in GATES}), end="")
