"""Canary of a service: a new release gets a growing share of the requests while gates look at its answers.

Owns the steps, the pace and the gates, whose defaults are chosen by figures (docs/canary-gates.md), and what a stack
must have for them to decide anything. Does not own the objects (components.platform.canaries and
canary_approvals) nor Flagger.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Self

from pydantic import model_validator

from components.settings.base import Settings, section, setting
from components.settings.image import ImageSettings
from components.settings.ingress import IngressSettings
from components.settings.labels import Labels
from components.settings.load_test import LoadTestSettings
from components.settings.names import DnsLabel
from components.settings.prometheus import PrometheusSettings
from components.settings.workload import QuantitySettings, ResourceSettings

_WHOLE = 100
_LEAST_SAMPLES = 2
"""Scrapes within a window without which a rate has no value (Prometheus, querying: functions)."""


class CanaryGateSettings(Settings):
    """Bounds that the answers of the new release must keep in each interval. No figures at all always fail a check."""

    most_errors_percent: float | None = setting(
        "feature",
        "Share of answers with a server error (5xx) above which a check fails; null for no such gate.",
        0.3,
        ge=0,
        lt=_WHOLE,
        unit="percent",
    )
    latency_factor: float | None = setting(
        "feature",
        "Time of the answers, at `latencyPercent`, in parts of what the service took for it in the last day, above "
        "which a check fails; null for no such gate.",
        1.1,
        gt=1,
        le=100,
    )
    latency_percent: float = setting(
        "feature", "Share of the answers that `latencyFactor` is about; 95 is p95.", 99.0, ge=50, lt=_WHOLE
    )
    least_requests: int = setting(
        "feature", "Requests in an interval below which a check fails, as they say too little.", 500, ge=1
    )

    @model_validator(mode="after")
    def _something_is_judged(self) -> Self:
        if self.most_errors_percent is None and self.latency_factor is None:
            raise ValueError(
                "no gate is left: mostErrorsPercent and latencyFactor are both null, so that every release with enough "
                "requests would be promoted; set one of them, or turn the canary off"
            )
        return self


class CanarySettings(Settings):
    """Release of a service in steps, each judged by the gates."""

    steps: tuple[int, ...] = setting(
        "feature", "Shares of the requests, one after the other.", (10, 30, 50, 100), min_length=1, unit="percent"
    )
    interval_seconds: int = setting(
        "feature",
        "Time between two checks, and the time that each looks at. Flagger allows no less than 10.",
        300,
        ge=10,
        le=3600,
        unit="seconds",
    )
    failed_checks: int = setting(
        "feature", "Failed checks, over all steps, after which the release is taken back.", 2, ge=1, le=100
    )
    gates: CanaryGateSettings = section("Bounds of the answers.", CanaryGateSettings())
    approval: bool = setting(
        "feature",
        "Whether a person approves a release after the last step and before it serves, by `altlas canary approve`; "
        "needs `flagger.approvals`.",
        False,
    )

    @model_validator(mode="after")
    def _steps_rise_to_all(self) -> Self:
        rising = all(low < high for low, high in pairwise((0, *self.steps)))
        if not rising or self.steps[-1] != _WHOLE:
            raise ValueError(
                f"steps ({', '.join(map(str, self.steps))}) must rise from above 0 to 100, which is the whole of the "
                "requests; write them in order and end with 100"
            )
        return self

    @property
    def needed_rate(self) -> float:
        """Requests per second of the whole service that the first step needs to have `gates.leastRequests`."""
        return self.gates.least_requests / self.interval_seconds * _WHOLE / self.steps[0]


class CanaryApprovalsSettings(Settings):
    """The pod that Flagger asks whether a person has approved a release."""

    image: ImageSettings = section("Image of HAProxy.", ImageSettings(repository="haproxy", tag="3.2.22-alpine"))
    resources: ResourceSettings = section(
        "What it is guaranteed and may use.",
        ResourceSettings(
            requests=QuantitySettings(cpu="10m", memory="32Mi"), limits=QuantitySettings(cpu="100m", memory="64Mi")
        ),
    )


class FlaggerSettings(Settings):
    """Pods of Flagger, the operator of canaries. The cluster must have it; it asks the stack's Prometheus."""

    namespace: DnsLabel = setting("security", "Namespace of its pods.", "flagger-system")
    pod_labels: Labels = setting("security", "Labels of its pods.", {"app.kubernetes.io/name": "flagger"}, min_length=1)
    service_account: DnsLabel = setting("security", "ServiceAccount of its pods, for the mesh.", "flagger")
    approvals: CanaryApprovalsSettings | None = section(
        "Where releases of canaries with `approval` are approved; null where none needs it.", None
    )


def check_canary(
    service: str,
    canary: CanarySettings,
    ingress: IngressSettings,
    prometheus: PrometheusSettings | None,
    load_test: LoadTestSettings | None,
) -> None:
    """Check that a stack can split the requests to a service and can judge the answers.

    Raises:
        ValueError: It cannot; names the paths of both sides and the cure.
    """
    for problem in (*_split(service, ingress), *_judged(service, canary, prometheus, load_test)):
        raise ValueError(problem)


def check_approval(service: str, canary: CanarySettings, flagger: FlaggerSettings) -> None:
    """Check that a release that waits for a person can be approved.

    Raises:
        ValueError: It cannot; names the paths of both sides and the cure.
    """
    if canary.approval and flagger.approvals is None:
        raise ValueError(
            f"services.{service}.canary.approval is true, but flagger.approvals is not set, so that every release "
            "would wait for ever; add `flagger: {approvals: {}}`, or remove approval"
        )


def _split(service: str, ingress: IngressSettings) -> Iterable[str]:
    here = f"services.{service}.canary is set, but"
    hosts = {ingress.host_of(route) for route in ingress.routes if route.service == service}
    if not hosts:
        yield (
            f"{here} ingress.routes does not name {service}: its requests come from other pods, and nothing splits "
            "those (a mesh in ambient mode has no waypoint here); remove the canary, or add a route"
        )
    if ingress.api != "gateway":
        yield (
            f"{here} ingress.api is {ingress.api}, and an Ingress has no weights; write `api: gateway` on a cluster "
            "with the Gateway API, or remove the canary"
        )
    if len(hosts) > 1:
        yield (
            f"{here} ingress.routes reaches {service} at {len(hosts)} hosts ({', '.join(sorted(hosts))}), and Flagger "
            "would serve every path at each of them; keep the routes to one host, or remove the canary"
        )
    if ingress.traefik is not None:
        yield (
            f"{here} ingress.traefik is too: Flagger writes the route without Middleware objects, so that the limits "
            "would be gone; remove one of them"
        )


def _judged(
    service: str, canary: CanarySettings, prometheus: PrometheusSettings | None, load_test: LoadTestSettings | None
) -> Iterable[str]:
    here = f"services.{service}.canary"
    if prometheus is None or not prometheus.is_managed:
        yield (
            f"{here} is set, but no Prometheus of the stack's own keeps the figures; add prometheus with mode managed, "
            "or remove the canary"
        )
        return
    scrape = prometheus.scrape_interval_seconds
    if canary.interval_seconds < _LEAST_SAMPLES * scrape:
        yield (
            f"{here}.intervalSeconds ({canary.interval_seconds}) is below {_LEAST_SAMPLES * scrape}, twice "
            f"prometheus.scrapeIntervalSeconds ({scrape}), so that a rate has no value and no check could ever hold; "
            "raise intervalSeconds or scrape more often"
        )
    if load_test and canary.needed_rate > load_test.max_requests_per_second:
        yield (
            f"{here}.gates.leastRequests ({canary.gates.least_requests}) in {canary.interval_seconds} seconds at the "
            f"first step of {canary.steps[0]} % needs {canary.needed_rate:g} requests per second, above what the stack "
            f"is made for (loadTest.maxRequestsPerSecond, {load_test.max_requests_per_second}), so that no check could "
            "ever hold; lower leastRequests, or raise intervalSeconds or the first step"
        )
