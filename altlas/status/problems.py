"""Obstacles to a ready stack: pods that do not come up, pods that cannot be created, servers of operators."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from altlas.session.kubectl import Kubectl
from altlas.status.reasons import Document, is_over, is_ready, newest_warning, pulls, reason_of, seen
from altlas.status.rollout import SELECTOR, WorkloadStatus

_NAME = "app.kubernetes.io/name"
_CREATORS = ("StatefulSet", "Job")
_PULLS = "still pulls its image; `altlas up` again goes on waiting, a higher rollout.timeoutSeconds waits longer"


@dataclass(frozen=True)
class PodProblem:
    """Why a pod is not ready.

    Attributes:
        service: Service the pod belongs to.
        pod: Name of the pod.
        reason: Cause, see `reasons.reason_of`.
        event: Reason and message of the newest warning about it, or None without one.
    """

    service: str
    pod: str
    reason: str
    event: str | None

    def __str__(self) -> str:
        event = f"; last event: {self.event}" if self.event else "; no event"
        return f"{self.service}: pod {self.pod} is not ready: {self.reason}{event}"


@dataclass(frozen=True)
class CreationProblem:
    """Why a workload has fewer pods than it should: a quota, an admission rule, a missing ServiceAccount.

    Attributes:
        service: Name of the workload.
        reason: What its controller says.
    """

    service: str
    reason: str

    def __str__(self) -> str:
        return f"{self.service}: its pods cannot be created: {self.reason}"


Problem = PodProblem | CreationProblem


def problems(kubectl: Kubectl, namespace: str) -> tuple[Problem, ...]:
    """Everything that keeps pods of a namespace from being ready.

    Raises:
        CommandError: The cluster does not answer or refuses.
    """
    events = kubectl.items("events", namespace)
    deployments = kubectl.items("deployments", namespace, SELECTOR)
    return (*creation_problems(deployments, events), *_pod_problems(kubectl, namespace, events))


def creation_problems(deployments: Iterable[Document], events: Sequence[Document]) -> Iterator[CreationProblem]:
    """Workloads whose pods the API server refuses, in their controllers' words."""
    for each in deployments:
        for condition in each["status"].get("conditions", ()):
            if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
                yield CreationProblem(each["metadata"]["name"], condition.get("message", condition.get("reason", "?")))
    creators = {
        (each["involvedObject"]["kind"], each["involvedObject"]["name"])
        for each in events
        if each["involvedObject"].get("kind") in _CREATORS
    }
    for kind, name in sorted(creators):
        # The controller tries again and again, so a creation that succeeded later is a newer event.
        about = (e for e in events if (e["involvedObject"].get("kind"), e["involvedObject"]["name"]) == (kind, name))
        newest = max(about, key=seen)
        if newest["reason"] == "FailedCreate":
            yield CreationProblem(name, newest["message"])


def services_that_pull(kubectl: Kubectl, namespace: str) -> frozenset[str]:
    """Services with a pod whose image is being pulled.

    Raises:
        CommandError: The cluster does not answer or refuses.
    """
    events = kubectl.items("events", namespace)
    pods = kubectl.items("pods", namespace, SELECTOR)
    return frozenset(pod["metadata"]["labels"].get(_NAME, "?") for pod in pods if pulls(pod, events))


def workload_problems(statuses: Sequence[WorkloadStatus]) -> Iterator[str]:
    """Lines about workloads that do not exist, and about custom resources whose servers are not ready."""
    if missing := [f"{each.kind} {each.name}" for each in statuses if not each.exists]:
        yield f"missing: {', '.join(missing)}; `pulumi refresh` and then `altlas up` create what the stack has"
    for each in statuses:
        if each.is_late and each.exists:
            said = f"its operator says: {each.said}" if each.said else "its operator says nothing; look whether it runs"
            yield f"{each.name}: {each.kind} has {each.ready} of {each.wanted} servers ready; {said}"


def _pod_problems(kubectl: Kubectl, namespace: str, events: Sequence[Document]) -> Iterator[PodProblem]:
    for pod in kubectl.items("pods", namespace, SELECTOR):
        if not is_over(pod) and not is_ready(pod):
            service = pod["metadata"]["labels"].get(_NAME, "?")
            reason = _PULLS if pulls(pod, events) else reason_of(pod)
            yield PodProblem(service, pod["metadata"]["name"], reason, newest_warning(pod, events))
