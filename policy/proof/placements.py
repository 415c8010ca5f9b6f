"""Placements of replicas on nodes, and what is left of them when nodes or zones are lost or drained.

Owns the enumeration: every placement that the scheduler may choose, every fault. Does not own how replicas are read
from objects (policy.proof.availability). Not modelled: room on the nodes, taints, volumes that cannot follow their pod.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Literal

from components.kubernetes.naming import HOST, ZONE

Loss = Literal["node lost", "zone lost", "node drained", "zone drained"]
LOSSES: tuple[Loss, ...] = ("node lost", "zone lost", "node drained", "zone drained")


@dataclass(frozen=True)
class ClusterShape:
    """Nodes, spread evenly over zones.

    Attributes:
        nodes: Number of nodes.
        zones: Number of zones.
    """

    nodes: int
    zones: int

    def domain(self, node: int, key: str) -> int:
        """Node or zone of a node, numbered."""
        return node % self.zones if key == ZONE else node

    def domains(self, key: str) -> range:
        """All nodes or all zones."""
        return range(self.zones if key == ZONE else self.nodes)

    def __str__(self) -> str:
        return f"{self.nodes} nodes in {self.zones} zones"


@dataclass(frozen=True)
class Spread:
    """A topology spread constraint that counts the replicas themselves.

    Attributes:
        key: `ZONE` or `HOST`.
        skew: Most that the fullest domain may have above the emptiest.
        is_required: True for `DoNotSchedule`.
    """

    key: str
    skew: int
    is_required: bool


@dataclass(frozen=True)
class Replicas:
    """Pods of one workload at its smallest scale.

    Attributes:
        name: Name of the workload.
        count: Number of pods.
        needed: Ready pods without which it does not serve: one, or the majority of servers that vote.
        spreads: Topology spread constraints.
        apart: True if two of them may not be on one node, False if that is only avoided, None without such a rule.
        evictions: Pods that may be evicted at once; None without a PodDisruptionBudget.
    """

    name: str
    count: int
    needed: int
    spreads: tuple[Spread, ...] = ()
    apart: bool | None = None
    evictions: int | None = None


Placement = tuple[int, ...]
"""Node of each pod that has one."""


@dataclass(frozen=True)
class Promise:
    """Number of cases, each a placement and a fault, that leave enough pods.

    Attributes:
        held: Cases that leave enough.
        cases: All cases.
    """

    held: int
    cases: int

    @property
    def holds(self) -> bool:
        """True if every case does."""
        return self.held == self.cases > 0


def placements(replicas: Replicas, shape: ClusterShape) -> list[Placement]:
    """Every placement that the required rules allow, of as many pods as find a node. Pods do not differ."""
    for count in range(replicas.count, 0, -1):
        every = combinations_with_replacement(range(shape.nodes), count)
        if found := [each for each in every if _is_allowed(replicas, shape, each)]:
            return found
    return [()]


def preferred(replicas: Replicas, shape: ClusterShape) -> list[Placement]:
    """Those of the allowed placements that break the fewest preferences: what a scheduler with room chooses."""
    ranked = [(_broken_preferences(replicas, shape, each), each) for each in placements(replicas, shape)]
    fewest = min(broken for broken, _ in ranked)
    return [each for broken, each in ranked if broken == fewest]


def judge(replicas: Replicas, shape: ClusterShape, loss: Loss, chosen: Iterable[Placement]) -> Promise:
    """Try a kind of loss at each node or zone on each placement."""
    key = ZONE if loss.startswith("zone") else HOST
    left = [
        _left(replicas, shape, placement, (key, domain), drained=loss.endswith("drained"))
        for placement in chosen
        for domain in shape.domains(key)
    ]
    return Promise(sum(ready >= replicas.needed for ready in left), len(left))


def _left(
    replicas: Replicas, shape: ClusterShape, placement: Placement, lost: tuple[str, int], *, drained: bool
) -> int:
    """Fewest ready pods before any has been replaced; a drain waits for replacements where a budget asks for it."""
    key, domain = lost
    gone = sum(shape.domain(node, key) == domain for node in placement)
    if drained and replicas.evictions is not None:
        gone = min(gone, replicas.evictions)
    return len(placement) - gone


def _is_allowed(replicas: Replicas, shape: ClusterShape, placement: Placement) -> bool:
    if replicas.apart and len(set(placement)) < len(placement):
        return False
    return all(_skew(shape, placement, each.key) <= each.skew for each in replicas.spreads if each.is_required)


def _broken_preferences(replicas: Replicas, shape: ClusterShape, placement: Placement) -> int:
    above = sum(
        max(0, _skew(shape, placement, each.key) - each.skew) for each in replicas.spreads if not each.is_required
    )
    together = len(placement) - len(set(placement)) if replicas.apart is False else 0
    return above + together


def _skew(shape: ClusterShape, placement: Sequence[int], key: str) -> int:
    counts = Counter(shape.domain(node, key) for node in placement)
    numbers = [counts[domain] for domain in shape.domains(key)]
    return max(numbers) - min(numbers)


def verdicts(replicas: Replicas, shape: ClusterShape) -> Iterator[tuple[Loss, Promise, Promise]]:
    """Each kind of loss, judged on every allowed placement and on the preferred ones."""
    allowed, best = placements(replicas, shape), preferred(replicas, shape)
    for loss in LOSSES:
        yield loss, judge(replicas, shape, loss, allowed), judge(replicas, shape, loss, best)
