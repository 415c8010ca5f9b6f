"""Rules for the loss or the drain of a node: budgets, autoscalers, spread, orderly shutdown."""

from collections.abc import Iterator
from math import ceil
from typing import Any

from policy.manifests import LONG_RUNNING, Manifest, ManifestSet, Pod, kind_of, labels_of, name_of, namespace_of, pod_of
from policy.operator_pods import operator_pod_of
from policy.paths import read
from policy.rules.base import Finding, ObjectRule, Parameters, SetRule
from policy.rules.checks import Problem, each_pod
from policy.selectors import matches

SCALABLE = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")
"""Kinds that have a number of replicas."""

_DEFAULT_GRACE_SECONDS = 30
_SHORTEST_GRACE_SECONDS = 10


def autoscaler_of(workload: Manifest, manifests: ManifestSet) -> Manifest | None:
    """The HorizontalPodAutoscaler that targets a workload, or None."""
    for autoscaler in manifests.of("HorizontalPodAutoscaler"):
        target = read(autoscaler, "spec.scaleTargetRef", {})
        same = (target.get("kind"), target.get("name"), namespace_of(autoscaler))
        if same == (kind_of(workload), name_of(workload), namespace_of(workload)):
            return autoscaler
    return None


def replica_range(workload: Manifest, manifests: ManifestSet) -> tuple[int, int]:
    """Fewest and most replicas of a workload."""
    autoscaler = autoscaler_of(workload, manifests)
    if autoscaler is not None:
        return read(autoscaler, "spec.minReplicas", 1), read(autoscaler, "spec.maxReplicas", 1)
    replicas = read(workload, "spec.replicas", 1)
    return replicas, replicas


def budgets_of(pod: Pod, manifests: ManifestSet) -> list[Manifest]:
    """PodDisruptionBudgets that select pods."""
    return [
        budget
        for budget in manifests.of("PodDisruptionBudget")
        if namespace_of(budget) == pod.namespace and matches(read(budget, "spec.selector", {}), pod.labels)
    ]


def _replicated(manifests: ManifestSet) -> Iterator[Pod]:
    for workload in manifests.of(*SCALABLE):
        pod = pod_of(workload)
        if pod is not None and replica_range(workload, manifests)[1] > 1:
            yield pod


def _made_by_operators(manifests: ManifestSet) -> Iterator[Pod]:
    """Replicas for which an operator makes no budget; CloudNativePG makes its own."""
    for manifest in manifests.of("Prometheus", "Alertmanager"):
        pod = operator_pod_of(manifest)
        if pod is not None and read(manifest, "spec.replicas", 1) > 1:
            yield pod


def _without_budget(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    for pod in (*_replicated(manifests), *_made_by_operators(manifests)):
        budgets = budgets_of(pod, manifests)
        if not budgets:
            yield Finding(pod.owner, "spec", "can have more than one replica, but no PodDisruptionBudget selects it")
        elif len(budgets) > 1:
            names = ", ".join(sorted(map(name_of, budgets)))
            yield Finding(pod.owner, "spec", f"is selected by several PodDisruptionBudgets ({names})")


def number_of_pods(value: Any, replicas: int) -> int:
    """Number of pods that a budget means: an absolute number, or a percentage rounded up as Kubernetes does."""
    if isinstance(value, str) and value.endswith("%"):
        return ceil(int(value[:-1]) * replicas / 100)
    return int(value)


def _blocking_budget(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    for workload in manifests.of(*SCALABLE):
        pod = pod_of(workload)
        fewest = replica_range(workload, manifests)[0]
        for budget in budgets_of(pod, manifests) if pod else ():
            unavailable, available = read(budget, "spec.maxUnavailable"), read(budget, "spec.minAvailable")
            if unavailable is None and available is None:
                yield Finding(budget, "spec.maxUnavailable", "is not set, nor is minAvailable")
            if unavailable is not None and number_of_pods(unavailable, fewest) < 1:
                yield Finding(budget, "spec.maxUnavailable", f"is {unavailable}, so no pod can ever be evicted")
            if available is not None and number_of_pods(available, fewest) >= fewest:
                problem = f"is {available} while {name_of(workload)} may have only {fewest}, so no pod can be evicted"
                yield Finding(budget, "spec.minAvailable", problem)


def _idle_budget(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    pods = [*manifests.pods, *(pod for pod in map(operator_pod_of, manifests.manifests) if pod)]
    for budget in manifests.of("PodDisruptionBudget"):
        selector, namespace = read(budget, "spec.selector", {}), namespace_of(budget)
        if not any(pod.namespace == namespace and matches(selector, pod.labels) for pod in pods):
            yield Finding(budget, "spec.selector", "selects no pod")


def _lost_autoscaler(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    for autoscaler in manifests.of("HorizontalPodAutoscaler"):
        target = read(autoscaler, "spec.scaleTargetRef", {})
        kind, name = str(target.get("kind")), str(target.get("name"))
        if manifests.find(kind, namespace_of(autoscaler), name) is None:
            yield Finding(autoscaler, "spec.scaleTargetRef", f"names {kind} {name}, which does not exist")


def _autoscaler_range(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if kind_of(manifest) != "HorizontalPodAutoscaler":
        return
    fewest, most = read(manifest, "spec.minReplicas", 1), read(manifest, "spec.maxReplicas", 0)
    if not 1 <= fewest <= most:
        yield Finding(manifest, "spec.minReplicas", f"is {fewest} and maxReplicas is {most}")


def _two_owners(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    for workload in manifests.of(*SCALABLE):
        if read(workload, "spec.replicas") is not None and autoscaler_of(workload, manifests) is not None:
            yield Finding(workload, "spec.replicas", "is set although an autoscaler decides it")


def _not_spread(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    for pod in _replicated(manifests):
        constraints = pod.spec.get("topologySpreadConstraints") or ()
        if not any(matches(read(constraint, "labelSelector", {}), pod.labels) for constraint in constraints):
            yield Finding(pod.owner, f"{pod.path}.topologySpreadConstraints", "has none that selects its own pods")


def _abrupt_end(pod: Pod) -> Iterator[Problem]:
    grace = pod.spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE_SECONDS)
    if kind_of(pod.owner) in LONG_RUNNING and grace < _SHORTEST_GRACE_SECONDS:
        problem = f"is {grace}, below the {_SHORTEST_GRACE_SECONDS} that a server needs to end what it has begun"
        yield f"{pod.path}.terminationGracePeriodSeconds", problem
    for container in pod.containers:
        sleep = read(container.spec, "lifecycle.preStop.sleep.seconds", 0)
        if sleep >= grace:
            problem = f"is {grace}, not above the {sleep} that {container.spec.get('name')} sleeps in preStop"
            yield f"{pod.path}.terminationGracePeriodSeconds", problem


def _dropped_requests(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    selectors = [(namespace_of(s), read(s, "spec.selector") or {}) for s in manifests.of("Service")]
    for pod in manifests.pods:
        served = any(
            selector and namespace == pod.namespace and matches({"matchLabels": selector}, pod.labels)
            for namespace, selector in selectors
        )
        if not served or kind_of(pod.owner) not in LONG_RUNNING:
            continue
        for container in pod.containers:
            if container.role == "containers" and not read(container.spec, "lifecycle.preStop"):
                yield Finding(pod.owner, f"{container.path}.lifecycle.preStop", "is not set, and a Service selects it")


def _foreign_selector(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    pod = pod_of(manifest)
    selector = read(manifest, "spec.selector") if kind_of(manifest) != "Job" else None
    if pod and isinstance(selector, dict) and not matches(_as_selector(manifest, selector), pod.labels):
        yield Finding(manifest, "spec.selector", f"does not select its own pods ({labels_of(manifest)})")


def _overlapping_selectors(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    for workload in manifests.of(*sorted(LONG_RUNNING)):
        selector, namespace = _as_selector(workload, read(workload, "spec.selector") or {}), namespace_of(workload)
        others = [pod for pod in manifests.pods if pod.owner is not workload and pod.namespace == namespace]
        names = sorted(name_of(pod.owner) for pod in others if matches(selector, pod.labels))
        if names:
            yield Finding(workload, "spec.selector", f"also selects the pods of {', '.join(names)}")


def _as_selector(manifest: Manifest, selector: dict[str, Any]) -> dict[str, Any]:
    return {"matchLabels": selector} if kind_of(manifest) == "ReplicationController" else selector


RULES = (
    SetRule(
        id="disruption-budget-exists",
        title="Exactly one PodDisruptionBudget guards every workload that can have more than one replica.",
        reason="A drain could evict all replicas at once; with two budgets it could evict none.",
        fix="make one PodDisruptionBudget that selects the pods",
        check=_without_budget,
    ),
    SetRule(
        id="disruption-budget-lets-nodes-drain",
        title="No PodDisruptionBudget forbids every eviction.",
        reason="The node could never be drained, so it could never be updated.",
        fix="set maxUnavailable to at least 1, or minAvailable below the fewest replicas",
        check=_blocking_budget,
    ),
    SetRule(
        id="disruption-budget-selects-pods",
        title="Every PodDisruptionBudget selects pods.",
        reason="A selector with a typing error guards nothing, and nothing says so.",
        fix="use the selector of the workload",
        check=_idle_budget,
    ),
    SetRule(
        id="autoscaler-target-exists",
        title="Every HorizontalPodAutoscaler targets a workload of the set.",
        reason="The workload would stay at one replica under any load.",
        fix="correct scaleTargetRef",
        check=_lost_autoscaler,
    ),
    ObjectRule(
        id="autoscaler-range",
        title="The range of every HorizontalPodAutoscaler is ordered and starts at 1 or more.",
        reason="The API server refuses it, or the workload can be scaled to nothing.",
        fix="set 1 <= minReplicas <= maxReplicas",
        check=_autoscaler_range,
    ),
    SetRule(
        id="replicas-have-one-owner",
        title="A workload with an autoscaler sets no replicas.",
        reason="Every update would throw away what the autoscaler has decided.",
        fix="remove spec.replicas",
        check=_two_owners,
    ),
    SetRule(
        id="replicas-are-spread",
        title="Replicas are spread over zones or nodes.",
        reason="All of them could stand on the one node that fails.",
        fix="add a topologySpreadConstraint that selects the pods",
        check=_not_spread,
    ),
    ObjectRule(
        id="grace-period-outlasts-the-hook",
        title="The grace period of a server leaves time after what preStop sleeps.",
        reason="The process would be killed before it hears that it should end.",
        fix="raise terminationGracePeriodSeconds or shorten the sleep",
        check=each_pod(_abrupt_end),
    ),
    SetRule(
        id="endpoints-drain-before-the-end",
        title="Every container behind a Service waits in preStop.",
        reason="Requests still arrive while endpoints forget the pod, and would be refused.",
        fix="set lifecycle.preStop.sleep",
        check=_dropped_requests,
    ),
    ObjectRule(
        id="selector-matches-template",
        title="Every workload selects its own pods.",
        reason="The API server refuses it, or it makes pods without end.",
        fix="use the same labels in selector and template",
        check=_foreign_selector,
    ),
    SetRule(
        id="selectors-do-not-overlap",
        title="No workload selects the pods of another one.",
        reason="Two controllers would fight over the pods, and autoscalers would count them twice.",
        fix="select by app.kubernetes.io/name, too",
        check=_overlapping_selectors,
    ),
)
"""Rules about budgets, autoscalers, spread and the end of pods."""
