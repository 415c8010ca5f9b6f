"""State of rollouts: workloads with their ready pods."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from altlas.session.kubectl import Kubectl
from components.kubernetes.naming import primary_of

SELECTOR = "--selector=app.kubernetes.io/part-of=alt-las"
"""Option of kubectl that keeps the objects of the platform, also those that operators make."""


@dataclass(frozen=True)
class WorkloadStatus:
    """One Deployment or StatefulSet of the platform, or the servers of an operator's custom resource.

    Attributes:
        name: Its name.
        image: Image of its first container.
        ready: Ready pods, of any release.
        wanted: Desired number of pods.
        updated: Pods of the newest release.
        nodes: Nodes on which its pods run.
        observed: Whether the controller has seen the newest release; before that, all numbers are of the earlier one.
        stalled: Whether the rollout exceeded its progress deadline.
        kind: Kind of the object.
        operated: Whether its servers exist; a simulated operator makes none.
        older: Pods of earlier releases that still exist.
        said: What an operator says of its servers; empty for other workloads.
        exists: Whether the cluster has the object.
    """

    name: str
    image: str
    ready: int
    wanted: int
    updated: int
    nodes: tuple[str, ...]
    observed: bool = True
    stalled: bool = False
    kind: str = "Deployment"
    operated: bool = True
    older: int = 0
    said: str = ""
    exists: bool = True

    @property
    def is_ready(self) -> bool:
        """True if the newest release is rolled out and all its pods are ready.

        Ready pods are counted across releases, so the newest is ready only when no pod of another is left.
        """
        return self.observed and self.wanted > 0 and not self.older and min(self.ready, self.updated) >= self.wanted

    @property
    def is_late(self) -> bool:
        """True if an operator that runs has not made all of its servers ready."""
        return self.kind not in {"Deployment", "StatefulSet"} and self.operated and not self.is_ready


def workload_statuses(kubectl: Kubectl, namespace: str) -> tuple[WorkloadStatus, ...]:
    """Deployments and then StatefulSets of the platform in a namespace, each by name.

    A Deployment that Flagger keeps without pods between releases is shown by those that serve in its place.
    """
    objects = kubectl.items("deployments,statefulsets,pods", namespace, SELECTOR)
    pods = [each for each in objects if each["kind"] == "Pod"]
    found = tuple(_status(each, pods) for each in objects if each["kind"] != "Pod")
    idle = [each.name for each in found if each.kind == "Deployment" and not each.wanted]
    return found if not idle else _with_primaries(found, _primaries(kubectl, namespace, idle, pods))


def _primaries(
    kubectl: Kubectl, namespace: str, names: Iterable[str], pods: Iterable[Mapping[str, Any]]
) -> dict[str, WorkloadStatus]:
    """Deployments that Flagger made, by the name of the service. They have no label of ours but another name."""
    made = {primary_of(name): name for name in names}
    selector = f"--selector=app.kubernetes.io/name in ({','.join(made)})"
    found = (_status(each, pods) for each in kubectl.items("deployments", namespace, selector))
    return {made[each.name]: replace(each, name=made[each.name]) for each in found if each.name in made}


def _with_primaries(
    found: Iterable[WorkloadStatus], primaries: Mapping[str, WorkloadStatus]
) -> tuple[WorkloadStatus, ...]:
    return tuple(primaries.get(each.name, each) if not each.wanted else each for each in found)


def _status(workload: Mapping[str, Any], pods: Iterable[Mapping[str, Any]]) -> WorkloadStatus:
    selector = workload["spec"]["selector"]["matchLabels"].items()
    own = [pod for pod in pods if selector <= pod["metadata"]["labels"].items()]
    return WorkloadStatus(
        name=workload["metadata"]["name"],
        image=workload["spec"]["template"]["spec"]["containers"][0]["image"],
        ready=workload["status"].get("readyReplicas", 0),
        wanted=workload["spec"]["replicas"],
        updated=workload["status"].get("updatedReplicas", 0),
        older=max(0, workload["status"].get("replicas", 0) - workload["status"].get("updatedReplicas", 0)),
        nodes=tuple(sorted({pod["spec"]["nodeName"] for pod in own if "nodeName" in pod["spec"]})),
        observed=workload["status"].get("observedGeneration", 0) >= workload["metadata"].get("generation", 0),
        kind=workload["kind"],
        stalled=any(
            condition["type"] == "Progressing" and condition["status"] == "False"
            for condition in workload["status"].get("conditions", ())
        ),
    )
