"""Nodes and zones that are lost or drained: what is left of services and stores of the stack `beta`.

First on every placement that follows from the objects, then where a real scheduler and the API for evictions have put
the same pods: their rules of placement are those of the stack, their containers do nothing.
"""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.nodes import NODES
from components.kubernetes.naming import HOST
from policy.availability import PROMISED, promised
from policy.manifests import Manifest, kind_of, name_of, pod_of
from policy.operator_pods import operator_pod_of
from policy.proof.placements import LOSSES, ClusterShape, Replicas, judge, placements, preferred
from policy.stacks import Stack, load_stack
from tests.faults.cases import Cases
from tests.support.figures import Figures
from tests.support.own_cluster import NAMESPACE, OwnCluster
from tests.support.running import stays_ready

SHAPE = ClusterShape(len(NODES), len(NODES))
WAIT_SECONDS = 180


@pytest.fixture(scope="module")
def stack() -> Stack:
    """Objects of beta."""
    return load_stack("beta")


def test_every_loss_on_every_preferred_placement_leaves_enough(
    stack: Stack, cases_of: Callable[..., Cases], figures: Figures
) -> None:
    """All of them, on clusters of three and of six nodes in three zones."""
    cases = cases_of(
        "any node or zone lost or drained, on every placement of beta that the scheduler prefers",
        "a majority of each store and a ready pod of each service",
        "mock",
    )
    for shape in PROMISED:
        for replicas in promised(stack):
            for loss in LOSSES:
                for key in cases.left([f"{replicas.name}: {loss} on {shape}"]):
                    found = judge(replicas, shape, loss, preferred(replicas, shape))
                    cases.finish(key, held=found.held, of=found.cases)
    figures.add("availability of beta", str(cases.outcome))
    assert cases.broken == []
    assert cases.outcome.cases == 3 * 252 + 6 * 156  # workloads of two pods, and of three


def _deployment(manifest: Manifest, replicas: Replicas) -> Iterator[Manifest]:
    """The pods of a workload with its own rules of placement, without their containers; and a budget."""
    pod = pod_of(manifest) or operator_pod_of(manifest)
    assert pod is not None
    affinity = pod.spec.get("affinity")
    if kind_of(manifest) == "Cluster":
        term = {"labelSelector": {"matchLabels": pod.labels}, "topologyKey": HOST}
        assert manifest["spec"]["affinity"]["podAntiAffinityType"] == "required"
        affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    specification = {
        "affinity": affinity,
        "topologySpreadConstraints": pod.spec["topologySpreadConstraints"],
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "idle", "image": "registry.example/idle:1.0.0"}],
    }
    metadata = {"name": replicas.name, "namespace": NAMESPACE}
    selector = {"matchLabels": pod.labels}
    template = {"metadata": {"labels": pod.labels}, "spec": specification}
    spec = {"replicas": replicas.count, "selector": selector, "template": template}
    yield {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    budget = {"maxUnavailable": replicas.evictions, "selector": selector}
    yield {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": budget}


@dataclass(frozen=True)
class Scheduled:
    """A workload whose pods a real scheduler has placed.

    Attributes:
        replicas: What the objects say of it.
        labels: Labels of its pods.
    """

    replicas: Replicas
    labels: Mapping[str, str]

    def ready_on(self, pods: Sequence[Manifest]) -> list[str]:
        """Nodes of its ready pods, one entry for each pod."""
        return sorted(
            pod["spec"]["nodeName"]
            for pod in pods
            if self.labels.items() <= pod["metadata"]["labels"].items() and stays_ready(pod)
        )


def _pods(cluster: OwnCluster) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(cluster.run("get", "pods", "--output=json"))["items"]
    return listed


def _wait_until_all_are_ready(cluster: OwnCluster, workloads: Sequence[Scheduled]) -> list[dict[str, Any]]:
    until = time.monotonic() + WAIT_SECONDS
    while True:
        pods = _pods(cluster)
        if all(len(each.ready_on(pods)) == each.replicas.count for each in workloads):
            return pods
        assert time.monotonic() < until, {each.replicas.name: each.ready_on(pods) for each in workloads}
        time.sleep(0.2)


@pytest.fixture(scope="module")
def workloads(stack: Stack, cluster: OwnCluster) -> list[Scheduled]:
    """Pods of beta's services and stores, all ready."""
    found, manifests = [], []
    for replicas in promised(stack):
        (owner,) = (
            each
            for each in stack.manifests
            if name_of(each) == replicas.name and (kind_of(each) in {"Deployment", "StatefulSet", "Cluster"})
        )
        deployment, budget = _deployment(owner, replicas)
        found.append(Scheduled(replicas, deployment["spec"]["template"]["metadata"]["labels"]))
        manifests += [deployment, budget]
    cluster.apply(*manifests)
    return found


@pytest.mark.e2e
def test_the_scheduler_places_them_as_the_arithmetic_says(
    workloads: list[Scheduled], cluster: OwnCluster, cases_of: Callable[..., Cases]
) -> None:
    """Each placement is one of those that were enumerated; the loss of a node, and so of a zone, leaves enough."""
    cases = cases_of("a node with a zone of its own lost, where the scheduler has put beta", "enough is left", "sim")
    names = list(NODES)
    pods = _wait_until_all_are_ready(cluster, workloads)
    for each in workloads:
        placement = tuple(sorted(names.index(node) for node in each.ready_on(pods)))
        assert placement in placements(each.replicas, SHAPE), each
        left = [each.replicas.count - Counter(placement)[node] for node in range(len(names))]
        for key in cases.left([each.replicas.name]):
            cases.finish(key, held=sum(ready >= each.replicas.needed for ready in left), of=len(left))
    assert cases.broken == []
    assert cases.outcome.cases == 3 * len(workloads) == 27


@pytest.mark.e2e
def test_drains_leave_enough_at_every_moment(
    workloads: list[Scheduled], cluster: OwnCluster, cases_of: Callable[..., Cases], figures: Figures
) -> None:
    """`kubectl drain` of each node in turn, watched: never fewer ready pods than the service or the majority needs."""
    cases = cases_of("a node drained, where the scheduler has put beta", "enough is ready at every moment", "sim")
    for node in NODES:
        keys = {each.replicas.name: f"{each.replicas.name}: {node}" for each in workloads}
        left = set(cases.left(keys.values()))
        if not left:
            continue
        _wait_until_all_are_ready(cluster, workloads)
        fewest = _fewest_ready_during_a_drain(cluster, workloads, node)
        cluster.run("uncordon", node)
        for each in workloads:
            cases.finish(keys[each.replicas.name], held=fewest[each.replicas.name] >= each.replicas.needed)
    figures.add("drains of beta's nodes", str(cases.outcome))
    assert cases.broken == []
    assert cases.outcome.cases == 3 * len(workloads) == 27


def _fewest_ready_during_a_drain(cluster: OwnCluster, workloads: Sequence[Scheduled], node: str) -> dict[str, int]:
    command = [str(cluster.kubectl), "--kubeconfig", str(cluster.kubeconfig), "drain", node, "--timeout=150s"]
    fewest = {each.replicas.name: each.replicas.count for each in workloads}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as drain:
        try:
            has_ended = False
            while not has_ended:
                has_ended = drain.poll() is not None
                pods = _pods(cluster)
                for each in workloads:
                    fewest[each.replicas.name] = min(fewest[each.replicas.name], len(each.ready_on(pods)))
            assert drain.returncode == 0, drain.stdout and drain.stdout.read()
        finally:
            drain.kill()
    assert [each for each in pods if each["spec"].get("nodeName") == node] == []
    return fewest
