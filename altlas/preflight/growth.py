"""Limits that a stack meets when load grows: autoscalers at their maximum, and nodes without room.

Load at rest is 1. A workload with an autoscaler is taken to need pods in proportion to the load, from its minimum on;
that its minimum fits the load at rest, and that all services grow alike, is an assumption.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from altlas.preflight.nodes import ClusterNode, fit
from components.kubernetes.load import Amount, StackLoad, WorkloadLoad


@dataclass(frozen=True)
class Limit:
    """One limit.

    Attributes:
        factor: Load that just still fits, in multiples of the load at rest; below 1 not even rest fits.
        what: What gives way beyond it.
    """

    factor: float
    what: str


def limits(load: StackLoad, nodes: Sequence[ClusterNode] = ()) -> tuple[Limit, ...]:
    """Limits of a stack in the order in which a growing load meets them.

    Args:
        load: Load of its objects.
        nodes: Nodes that it has for itself; none where they are not known.
    """
    found = [
        Limit(each.most / each.fewest, f"{each.name} at its maximum of {each.most} pods")
        for each in load.workloads
        if each.most > each.fewest
    ]
    if nodes and (full := _room(load, nodes)):
        found.append(full)
    return tuple(sorted(found, key=lambda limit: limit.factor))


def fits_at(load: StackLoad, nodes: Sequence[ClusterNode], factor: float, *, updating: bool = False) -> bool:
    """Tell whether all pods fit onto the nodes at a load, and with the surge of an update of all Deployments."""
    return fit(nodes, _pods(load, factor, updating))


def pods_at(workload: WorkloadLoad, factor: float) -> int:
    """Pods of a workload at a load: in proportion to it, between its minimum and its maximum."""
    # Thirds and the like would be rounded up by the error of a binary fraction.
    wanted = math.ceil(round(workload.fewest * factor, 9))
    return max(workload.fewest, min(workload.most, wanted))


def _room(load: StackLoad, nodes: Sequence[ClusterNode]) -> Limit | None:
    """The largest load whose pods fit; None if the nodes have room for the largest scale."""
    scaled = [each for each in load.workloads if each.most > each.fewest]
    steps = sorted({pods / each.fewest for each in scaled for pods in range(each.fewest, each.most + 1)} | {1.0})
    last = 0.0
    for step in steps:
        if not fits_at(load, nodes, step):
            return Limit(last, f"{len(nodes)} nodes have no room for another pod")
        last = step
    return None


def _pods(load: StackLoad, factor: float, updating: bool) -> Iterator[Amount]:
    for each in load.workloads:
        if not each.timed:
            number = pods_at(each, factor)
            surge = (each.surge_at_most if number > each.fewest else each.surge) if updating else 0
            yield from (each.pod.requests,) * (number + surge)
