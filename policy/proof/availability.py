"""Availability of each workload of a stack when nodes or zones are lost or drained, computed from its objects.

Owns how replicas, quorum, spread and budgets are read from objects. Does not own the enumeration
(policy.proof.placements).

Quorum: Redis Sentinel and NATS JetStream elect by a majority of their servers. PostgreSQL as its operator's failover by
quorum counts: with `number` synchronous standbys, commits need `number` + 1 servers, and a failover as many as make
sure that one of them has each commit.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.kubernetes.naming import HOST
from components.traffic.stores import NATS, POSTGRES_HOST, REDIS, REDIS_PROXY
from policy.manifests import Manifest, ManifestSet, Pod, kind_of, name_of, pod_of
from policy.operator_pods import operator_pod_of
from policy.paths import read
from policy.proof.placements import Replicas, Spread
from policy.rules.availability import SCALABLE, budgets_of, number_of_pods, replica_range
from policy.selectors import matches

STORES = (POSTGRES_HOST, REDIS, REDIS_PROXY, NATS)
"""Workloads without which a store does not serve."""

VOTERS = (REDIS, NATS)
"""StatefulSets whose servers elect a leader by majority."""


def replicas_of(manifests: Sequence[Manifest]) -> list[Replicas]:
    """All workloads of a stack that run without end, in the order of the objects."""
    return list(_replicas(ManifestSet(manifests)))


def _replicas(manifests: ManifestSet) -> Iterator[Replicas]:
    for manifest in manifests.manifests:
        pod = pod_of(manifest) if kind_of(manifest) in SCALABLE else operator_pod_of(manifest)
        if pod is not None:
            count = _count(manifest, manifests)
            yield Replicas(
                name=name_of(manifest),
                count=count,
                needed=_needed(manifest, count),
                spreads=tuple(_spreads(pod)),
                apart=_apart(pod),
                evictions=_evictions(pod, count, manifests),
            )


def _count(manifest: Manifest, manifests: ManifestSet) -> int:
    if kind_of(manifest) in SCALABLE:
        fewest, _ = replica_range(manifest, manifests)
        return fewest
    return int(read(manifest, "spec.instances") or read(manifest, "spec.replicas", 1))


def _needed(manifest: Manifest, count: int) -> int:
    number = read(manifest, "spec.postgresql.synchronous.number")
    if number is not None:
        return max(int(number) + 1, count - int(number))
    return count // 2 + 1 if kind_of(manifest) == "StatefulSet" and name_of(manifest) in VOTERS else 1


def _spreads(pod: Pod) -> Iterator[Spread]:
    for each in pod.spec.get("topologySpreadConstraints") or ():
        # One that selects other pods counts those.
        if matches(each.get("labelSelector") or {}, pod.labels):
            yield Spread(each["topologyKey"], each["maxSkew"], each.get("whenUnsatisfiable") != "ScheduleAnyway")


def _apart(pod: Pod) -> bool | None:
    affinity = read(pod.owner, "spec.affinity", {})
    if affinity.get("enablePodAntiAffinity") and affinity.get("topologyKey") == HOST:
        return bool(affinity.get("podAntiAffinityType") == "required")
    rules = read(pod.spec, "affinity.podAntiAffinity", {})
    if _avoids(rules.get("requiredDuringSchedulingIgnoredDuringExecution", ()), pod):
        return True
    terms = [each["podAffinityTerm"] for each in rules.get("preferredDuringSchedulingIgnoredDuringExecution", ())]
    return False if _avoids(terms, pod) else None


def _avoids(terms: Sequence[Mapping[str, Any]], pod: Pod) -> bool:
    return any(each["topologyKey"] == HOST and matches(each.get("labelSelector") or {}, pod.labels) for each in terms)


def _evictions(pod: Pod, count: int, manifests: ManifestSet) -> int | None:
    if read(pod.owner, "spec.enablePDB"):
        return 1  # of the operator's two: a primary is replaced first, and of the standbys all but one must be ready
    allowed = [
        number_of_pods(read(each, "spec.maxUnavailable"), count)
        if read(each, "spec.maxUnavailable") is not None
        else count - number_of_pods(read(each, "spec.minAvailable", 0), count)
        for each in budgets_of(pod, manifests)
    ]
    return min(allowed, default=None)
