"""Input of dashboards: the stack as it is declared, without anything of Grafana."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from components.settings import PlatformSettings
from components.settings.services import ServiceSettings
from components.traffic.graph import ServiceGraph


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A service and what it promises.

    Attributes:
        name: Its name.
        histogram: Its histogram of request durations in milliseconds, or None where its image exports no metrics.
        availability: Promised share of successful probes, from 0 to 1.
        latency: Promised time of an answer in seconds, or None.
        success: Promised share of requests without a server error, from 0 to 1, or None.
        autoscaled: Whether a HorizontalPodAutoscaler decides the number of its pods.
    """

    name: str
    histogram: str | None
    availability: float
    latency: float | None
    success: float | None
    autoscaled: bool


@dataclass(frozen=True, kw_only=True)
class View:
    """A stack as its dashboards show it.

    Attributes:
        stack: Name of the stack.
        namespace: Its namespace.
        services: The services.
        stores: Names of the stores that the stack runs itself: postgres, redis, nats.
        calls: Caller and callee of each call between services and stores.
        streams: Bytes at which each stream of NATS is full, by its name.
        logs: Whether there are logs to ask for.
    """

    stack: str
    namespace: str
    services: tuple[Watched, ...]
    stores: tuple[str, ...]
    calls: tuple[tuple[str, str], ...]
    streams: Mapping[str, int]
    logs: bool


def view_of(platform: PlatformSettings, graph: ServiceGraph, stack: str) -> View:
    """View of a stack for its dashboards."""
    services = platform.services.by_name()
    stores = tuple(name for name in ("postgres", "redis", "nats") if name in graph.ports)
    return View(
        stack=stack,
        namespace=platform.namespace,
        services=tuple(_watched(name, settings) for name, settings in services.items()),
        stores=stores,
        calls=tuple(_calls_among((*services, *stores), graph)),
        streams={each.name: each.limit_bytes for each in platform.nats.streams} if platform.nats else {},
        logs=platform.loki is not None,
    )


def _watched(name: str, settings: ServiceSettings) -> Watched:
    promised = settings.slo
    return Watched(
        name=name,
        histogram=settings.metrics.duration_histogram if settings.metrics else None,
        availability=promised.availability_percent / 100,
        latency=promised.latency_milliseconds / 1000 if promised.latency_milliseconds else None,
        success=promised.success_percent / 100 if promised.success_percent is not None else None,
        autoscaled=settings.autoscaling is not None,
    )


def _calls_among(names: tuple[str, ...], graph: ServiceGraph) -> Iterable[tuple[str, str]]:
    return sorted((call.caller, call.callee) for call in graph.calls if {call.caller, call.callee} <= {*names})
