"""State of rollouts: workloads with their ready pods, and why a pod is not ready."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from altlas.session.kubectl import Kubectl

_SELECTOR = "app.kubernetes.io/part-of=alt-las"


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

    @property
    def is_ready(self) -> bool:
        """True if the newest release is rolled out and all its pods are ready.

        Ready pods are counted across releases, so the newest is ready only when no pod of another is left.
        """
        return self.observed and self.wanted > 0 and not self.older and min(self.ready, self.updated) >= self.wanted


@dataclass(frozen=True)
class PodProblem:
    """Why a pod is not ready.

    Attributes:
        service: Service the pod belongs to.
        pod: Name of the pod.
        reason: Reason and message of its waiting or terminated container.
        event: Reason and message of the newest warning about it, or None without one.
    """

    service: str
    pod: str
    reason: str
    event: str | None

    def __str__(self) -> str:
        event = f"; last event: {self.event}" if self.event else "; no event"
        return f"{self.service}: pod {self.pod} is not ready: {self.reason}{event}"


def workload_statuses(kubectl: Kubectl, namespace: str) -> tuple[WorkloadStatus, ...]:
    """Deployments and then StatefulSets of the platform in a namespace, each by name."""
    objects = kubectl.items("deployments,statefulsets,pods", namespace, f"--selector={_SELECTOR}")
    pods = [each for each in objects if each["kind"] == "Pod"]
    return tuple(_status(each, pods) for each in objects if each["kind"] != "Pod")


def pod_problems(kubectl: Kubectl, namespace: str) -> tuple[PodProblem, ...]:
    """Pods of the platform that are neither ready nor terminating, with reason and newest warning."""
    events = kubectl.items("events", namespace, "--field-selector=type=Warning")
    problems = []
    for pod in kubectl.items("pods", namespace, f"--selector={_SELECTOR}"):
        name = pod["metadata"]["name"]
        if "deletionTimestamp" not in pod["metadata"] and not _is_ready(pod):
            service = pod["metadata"]["labels"].get("app.kubernetes.io/name", "?")
            problems.append(PodProblem(service, name, _reason(pod), _newest_event(events, name)))
    return tuple(problems)


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


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _reason(pod: Mapping[str, Any]) -> str:
    for container in pod["status"].get("containerStatuses", ()):
        for state in ("waiting", "terminated"):
            found = container.get("state", {}).get(state)
            if found:
                return ": ".join(filter(None, (found.get("reason"), found.get("message"))))
    for condition in pod["status"].get("conditions", ()):
        if condition["status"] == "False" and condition.get("message"):
            return ": ".join(filter(None, (condition.get("reason"), condition["message"])))
    return f"phase {pod['status'].get('phase', 'unknown')}, not ready yet"


def _newest_event(events: Iterable[Mapping[str, Any]], pod: str) -> str | None:
    about = [event for event in events if event["involvedObject"].get("name") == pod]
    if not about:
        return None
    newest = max(about, key=lambda event: event.get("lastTimestamp") or event["metadata"]["creationTimestamp"])
    return f"{newest['reason']}: {newest['message']}"
