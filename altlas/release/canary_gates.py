"""Gates of a canary as a pure function over what was measured, as Flagger decides.

Owns the rule. Does not own where the figures come from, nor the objects that Flagger reads. Each interval has one
check: if all gates hold, the canary gets its next share of the traffic; if one does not, the share stays. After so many
failed checks, counted over all steps, the canary is taken back. No data fails a check.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from components.settings.canary import CanarySettings


class CanaryVerdict(StrEnum):
    """End of a canary."""

    PROMOTED = "promoted"
    ABORTED = "aborted"


@dataclass(frozen=True)
class CanaryWindow:
    """Figures of the canary's pods in one interval.

    Attributes:
        requests: Requests that they answered.
        errors: Those that ended with a server error (5xx).
        slow: Those that took longer than the bound of the latency gate.
    """

    requests: int
    errors: int
    slow: int


@dataclass(frozen=True, kw_only=True)
class CanaryGates:
    """Gates and pace of a canary.

    Attributes:
        steps: Shares of the traffic in percent, one after the other.
        interval_seconds: Time between two checks, and the time that each looks at.
        threshold: Failed checks after which the canary is taken back.
        most_errors_percent: Share of server errors beyond which a check fails.
        quantile: Share of the answers that must come within `latency_factor`, such as 0.95.
        latency_factor: Bound of that quantile, in parts of what the service usually takes for it.
        least_requests: Requests below which a check fails, because they say too little.
    """

    steps: tuple[int, ...] = CanarySettings().steps
    interval_seconds: int
    threshold: int
    most_errors_percent: float
    quantile: float
    latency_factor: float
    least_requests: int

    def hold(self, window: CanaryWindow | None) -> bool:
        """True if a window passes every gate; None is no data, which never passes."""
        if window is None or window.requests < max(1, self.least_requests):
            return False
        most_slow = window.requests * (1 - self.quantile)
        return window.errors * 100 <= window.requests * self.most_errors_percent and window.slow <= most_slow


def gates_of(canary: CanarySettings) -> CanaryGates:
    """Gates of a canary as its settings say; a gate that is left out holds for any figure."""
    errors, factor = canary.gates.most_errors_percent, canary.gates.latency_factor
    return CanaryGates(
        steps=canary.steps,
        interval_seconds=canary.interval_seconds,
        threshold=canary.failed_checks,
        most_errors_percent=_ANY if errors is None else errors,
        quantile=canary.gates.latency_percent / 100 if factor else 0,
        latency_factor=factor or _ANY,
        least_requests=canary.gates.least_requests,
    )


_ANY = 100.0
DEFAULT_GATES = gates_of(CanarySettings())
"""Gates that are chosen by figures: docs/canary-gates.md."""


@dataclass(frozen=True)
class CanaryDecision:
    """End of a canary and its time.

    Attributes:
        verdict: What became of it.
        seconds: Time from its first share of the traffic.
    """

    verdict: CanaryVerdict
    seconds: int


def decide(gates: CanaryGates, look: Callable[[int], CanaryWindow | None]) -> CanaryDecision:
    """Decision over what is measured.

    Args:
        gates: The gates.
        look: Figures of the last interval, in which the canary had this share of the traffic in percent; None where
            there are none.
    """
    step = failed = checks = 0
    while step < len(gates.steps) and failed < gates.threshold:
        checks += 1
        if gates.hold(look(gates.steps[step])):
            step += 1
        else:
            failed += 1
    verdict = CanaryVerdict.PROMOTED if step == len(gates.steps) else CanaryVerdict.ABORTED
    # Flagger acts on the count of failed checks, or copies to the primary, at the tick after the last check.
    return CanaryDecision(verdict, (checks + 1) * gates.interval_seconds)
