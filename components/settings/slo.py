"""Promises of a service: how often it answers, how fast, and how rarely with an error."""

from typing import Annotated

from pydantic import AfterValidator

from components.settings.base import Settings, setting

FASTEST_BURN_RATE = 14.4
"""Burn rate that pages the person on call: it spends 2 % of a month's error budget in one hour (Google, The Site
Reliability Workbook, chapter 5)."""

_WHOLE = 100.0


def _objective(percent: float) -> float:
    if percent >= _WHOLE:
        raise ValueError(
            f"is {percent:g} %, which leaves no error budget, so every single failure would be an alert and no release "
            "could ever be made; write less than 100, such as 99.5"
        )
    lowest = _WHOLE - _WHOLE / FASTEST_BURN_RATE
    if percent <= lowest:
        raise ValueError(
            f"is {percent:g} %, so that even a complete outage burns the budget less than {FASTEST_BURN_RATE:g} times "
            f"too fast and nobody would ever be woken; write more than {lowest:.2f}"
        )
    return percent


Objective = Annotated[float, AfterValidator(_objective)]


class SloSettings(Settings):
    """The objectives of one service. What is left out is not promised, and has neither rules nor alerts."""

    availability_percent: Objective = setting(
        "feature", "Share of the probes of the health path that must succeed.", 99.5, unit="percent"
    )
    latency_milliseconds: int | None = setting(
        "feature",
        "Time within which `latencyPercent` of the answers must come: of all requests where the service exports their "
        "durations, else of the probes of its health path; null for no promise.",
        None,
        ge=1,
        le=60000,
        unit="milliseconds",
    )
    latency_percent: Objective = setting(
        "feature",
        "Share of the answers that must come in time; 95 makes a 95th percentile of it.",
        95.0,
        unit="percent",
    )
    success_percent: Objective | None = setting(
        "feature",
        "Share of the requests that must not end with a server error (5xx); null where the service counts none.",
        None,
        unit="percent",
    )


class ServiceMetricsSettings(Settings):
    """Metrics that a service's image really exports, in the Prometheus format, on its own port."""

    path: str = setting("feature", "HTTP path of the metrics.", "/metrics", pattern=r"^/\S*$")
    duration_histogram: str = setting(
        "feature",
        "Histogram of request durations in milliseconds, with the status in the label `code`.",
        "http_request_duration_ms",
        pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$",
    )
