"""Seconds for which something does not answer when an update restarts it, as measured: one table with its sources.

Owns the figures. Does not own which workloads an update restarts beyond what its steps say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from altlas.release.steps import ObjectStep, ReplaceObject, UpdateObject
from components.kubernetes.load import StackLoad

_ROLLING = "new pods are ready before old ones end (maxUnavailable 0)"


@dataclass(frozen=True)
class Figure:
    """A measured outage.

    Attributes:
        seconds: Longest time without an answer; None where nobody has measured it.
        source: Where and how it was measured, or why there is none.
    """

    seconds: float | None
    source: str


_NOT_MEASURED = Figure(None, "not measured")
FIGURES: Mapping[tuple[str, str], Figure] = {
    ("postgres-db", "several"): Figure(
        13.5, "writes, CloudNativePG 1.30.0 on three real nodes, primary killed, one run (ADR 10); its lease is 5 s"
    ),
    ("redis", "several"): Figure(
        4.1, "writes, planned hand-over of the primary, real servers (tests/data/test_redis.py)"
    ),
    ("redis", "more"): Figure(
        4.2, "writes, two runs of 3.8 and 4.2 s, real servers, none lost (tests/data/test_redis_transitions.py)"
    ),
    ("redis", "fewer"): Figure(
        9.5, "writes; reads 5.0 s; one run, real servers, none lost (tests/data/test_redis_transitions.py)"
    ),
    ("nats", "more"): Figure(
        7.1, "publishers, two runs of 6.0 and 7.1 s, real servers, none lost (tests/data/test_nats_transitions.py)"
    ),
    ("nats", "fewer"): Figure(
        2.0, "publishers, one run, real servers, none lost (tests/data/test_nats_transitions.py)"
    ),
}
"""Outages of stores while their servers restart, by the store's name and by its servers: one, several, more or fewer
than before. Measured on 2026-11-27 with 2 cores that had other work; without containers to start and images to pull.
"""

_NUMBER = "spec.replicas"

_POD_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("spec.template",),
    "StatefulSet": ("spec.template",),
    "Cluster": ("spec.imageName", "spec.resources", "spec.postgresql", "spec.affinity"),
    "Prometheus": ("spec.image", "spec.resources", "spec.retention", "spec.containers", "spec.podMetadata"),
    "Alertmanager": ("spec.image", "spec.resources", "spec.retention", "spec.containers", "spec.podMetadata"),
}
"""Fields whose change restarts pods, by kind."""


@dataclass(frozen=True)
class Outage:
    """Effect of a restart on those who call a workload.

    Attributes:
        title: Kind and name.
        servers: Number of pods before the step.
        figure: Time without an answer, and its source.
    """

    title: str
    servers: int
    figure: Figure


def outages(
    steps: Iterable[ObjectStep], before: Mapping[tuple[str, str], Mapping[str, Any]], load: StackLoad
) -> tuple[Outage, ...]:
    """Workloads that the steps restart.

    Args:
        steps: Steps of a release.
        before: Objects as they are, by kind and Pulumi's name.
        load: Their load, which has their number of pods.
    """
    pods = {(each.kind, each.name): each.fewest for each in load.workloads}
    found = []
    for step in steps:
        manifest = before.get((step.object.kind, step.object.logical))
        if manifest is not None and isinstance(step, UpdateObject | ReplaceObject) and _restarts(step):
            servers = pods[step.object.kind, manifest["metadata"]["name"]]
            found.append(Outage(step.object.title, servers, _figure(step, manifest, servers)))
    return tuple(found)


def _restarts(step: UpdateObject | ReplaceObject) -> bool:
    roots = _POD_FIELDS.get(step.object.kind, ())
    is_replaced = isinstance(step, ReplaceObject) and bool(roots)
    return is_replaced or any(each.path.startswith(roots) for each in step.fields if roots)


def _figure(step: UpdateObject | ReplaceObject, manifest: Mapping[str, Any], servers: int) -> Figure:
    spec = manifest["spec"]
    strategy = spec.get("strategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    if isinstance(step, UpdateObject) and step.object.kind == "Deployment" and rolling.get("maxUnavailable") == 0:
        return Figure(0, _ROLLING)
    return FIGURES.get((step.object.logical, _servers(step, servers)), _NOT_MEASURED)


def _servers(step: UpdateObject | ReplaceObject, servers: int) -> str:
    number = next((each for each in step.fields if each.path == _NUMBER), None)
    if number is not None and step.object.kind == "StatefulSet":
        return "more" if number.after > number.before else "fewer"
    return "one" if servers == 1 else "several"
