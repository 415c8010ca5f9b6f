"""What runs where, and when a rollout fails: which pod, for which reason, after which event."""

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
        ready: Pods that are ready, of any release.
        wanted: Pods that there should be.
        updated: Pods of the newest release.
        nodes: Nodes on which its pods run.
        observed: Whether Kubernetes has seen the newest release at all; before that, all numbers are of the old one.
        stalled: Whether Kubernetes has given the rollout up.
        kind: Kind of the object.
        operated: Whether somebody makes its servers at all; a simulated operator does not.
        older: Pods of earlier releases that are not taken away yet.
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
        """Whether the newest release is rolled out and all its pods are ready.

        Ready pods are counted whatever their release, so those of the newest are all ready only when no other is left.
        """
        return self.observed and self.wanted > 0 and not self.older and min(self.ready, self.updated) >= self.wanted


@dataclass(frozen=True)
class PodProblem:
    """Why a pod is not ready.

    Attributes:
        service: Service the pod belongs to.
        pod: Name of the pod.
        reason: What its container waits for or died of, with the message.
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
    """The platform's Deployments and then its StatefulSets in a namespace, each by name."""
    objects = kubectl.items("deployments,statefulsets,pods", namespace, f"--selector={_SELECTOR}")
    pods = [each for each in objects if each["kind"] == "Pod"]
    return tuple(_status(each, pods) for each in objects if each["kind"] != "Pod")


def pod_problems(kubectl: Kubectl, namespace: str) -> tuple[PodProblem, ...]:
    """Every pod of the platform that is not ready and is not ending, with reason and newest warning."""
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
