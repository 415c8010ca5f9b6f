"""Profiles of load: requests per second and the 95th percentile that the phases promise.

The figures are the objectives of the original platform: measured by alpha, targets of beta. The percentiles are those
of `slo.latencyMilliseconds` in the stack files.
"""

from collections.abc import Mapping
from dataclasses import dataclass

WHOLE_PATH = "whole path"
"""Name of the test that enters where clients do, by the ingress, instead of at one service."""

MOST_FAILURES_PERCENT = 1.0
"""Share of requests that may fail: the bound of the original platform's canaries and alerts."""

LEAST_RATE_PERCENT = 95.0
"""Share of the wanted requests per second that must be answered. Users wait for their answers, so a slow service is
asked less often; without this bound its percentiles would look better than they are."""


@dataclass(frozen=True)
class LoadGoal:
    """Goal of a service.

    Attributes:
        requests_per_second: Requests that must be answered each second.
        p95_milliseconds: Time within which 95 % of the answers come.
    """

    requests_per_second: int
    p95_milliseconds: int


@dataclass(frozen=True)
class LoadProfile:
    """Load of a phase.

    Attributes:
        users: Users at a time who make the load of the whole path.
        goals: Goals by the name of a service, and of the whole path.
    """

    users: int
    goals: Mapping[str, LoadGoal]

    def users_of(self, name: str) -> int:
        """Users for one test: as many for each request as on the whole path."""
        rate = self.goals[name].requests_per_second
        return max(1, round(self.users * rate / self.goals[WHOLE_PATH].requests_per_second))


PROFILES: Mapping[str, LoadProfile] = {
    "alpha": LoadProfile(
        users=50,
        goals={
            WHOLE_PATH: LoadGoal(100, 250),
            "api-gateway": LoadGoal(100, 250),
            "runner-service": LoadGoal(70, 300),
            "segmentation-service": LoadGoal(80, 350),
            "ai-orchestrator": LoadGoal(50, 400),
            "archive-service": LoadGoal(60, 200),
        },
    ),
    "beta": LoadProfile(
        users=1000,
        goals={
            WHOLE_PATH: LoadGoal(500, 200),
            "api-gateway": LoadGoal(200, 200),
            "runner-service": LoadGoal(140, 230),
            "segmentation-service": LoadGoal(160, 250),
            "ai-orchestrator": LoadGoal(100, 300),
            "archive-service": LoadGoal(120, 180),
        },
    ),
}
"""Profiles by name. The whole path's percentile is the gateway's, which waits for the services that it calls."""
