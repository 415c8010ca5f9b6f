"""What runs where, and when a rollout fails: which pod, for which reason, after which event."""

import json
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cluster.waiting import wait_for
from rendering.errors import CommandError, ExitCode

_SELECTOR = "app.kubernetes.io/part-of=alt-las"
_KUBECTL_TIMEOUT = "--request-timeout=10s"
_UNANSWERED_SECONDS = 120
_REFUSALS = ("(Forbidden)", "(Unauthorized)", "(NotFound)")
_POLL_SECONDS = 0.5

Answer = TypeVar("Answer")


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


@dataclass(frozen=True)
class Kubectl:
    """Reads from a cluster by the pinned kubectl.

    Attributes:
        program: The kubectl to run.
        kubeconfig: Which cluster.
    """

    program: Path
    kubeconfig: Path

    def items(self, kind: str, namespace: str, *options: str) -> list[dict[str, Any]]:
        """Objects of a kind.

        Raises:
            CommandError: The cluster does not answer or refuses.
        """
        found: list[dict[str, Any]] = json.loads(
            self._get(f"{kind} in {namespace}", kind, "--namespace", namespace, *options)
        )["items"]
        return found

    def named(self, kind: str, *names: str) -> list[dict[str, Any]]:
        """Those of the named cluster-scoped objects that exist.

        Raises:
            CommandError: The cluster does not answer or refuses.
        """
        # A list of one name is answered by an object, a list of none that exists by nothing.
        document = json.loads(self._get(kind, kind, *names, "--ignore-not-found") or '{"items": []}')
        found: list[dict[str, Any]] = document.get("items", [document])
        return found

    def text(self, *arguments: str, stdin: str | None = None) -> str:
        """What a kubectl command prints.

        Raises:
            CommandError: The command failed; holds what it said.
        """
        command = [str(self.program), f"--kubeconfig={self.kubeconfig}", _KUBECTL_TIMEOUT, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CommandError(f"`kubectl {' '.join(arguments)}` failed: {_said(done.stderr)}", ExitCode.NO_CLUSTER)
        return done.stdout

    def create(self, manifest: Mapping[str, Any]) -> bool:
        """Make an object; False where there is one of its name, which stays as it is.

        Raises:
            CommandError: The cluster does not answer or refuses.
        """
        try:
            self.text("create", "--filename", "-", stdin=json.dumps(manifest))
        except CommandError as error:
            if "(AlreadyExists)" in str(error):
                return False
            raise
        return True

    def _get(self, what: str, *arguments: str) -> str:
        command = [str(self.program), f"--kubeconfig={self.kubeconfig}", _KUBECTL_TIMEOUT, "get", *arguments]
        done = subprocess.run([*command, "--output=json"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise CommandError(f"cannot read {what}: {_said(done.stderr)}", ExitCode.NO_CLUSTER)
        return done.stdout


def when_answered(read: Callable[[], Answer]) -> Answer:
    """What a read gives; a cluster that is away for a moment is asked again, for what is waited for goes on there.

    Raises:
        CommandError: The cluster has refused, or has not answered for two minutes.
    """

    def is_passing(error: BaseException) -> bool:
        return isinstance(error, CommandError) and not any(refusal in str(error) for refusal in _REFUSALS)

    seconds, pause = _UNANSWERED_SECONDS, _POLL_SECONDS
    return wait_for(read, lambda _: True, seconds=seconds, poll_seconds=pause, is_passing=is_passing)


def _said(stderr: str) -> str:
    """What kubectl said, each line once, and what to do where nobody answers."""
    text = "\n".join(dict.fromkeys(stderr.strip().splitlines()))
    away = "the cluster does not run or is another one: `altlas up` starts a simulated one, KUBECONFIG names yours"
    return f"{text}\n{away}" if "connection to the server" in text.lower() else text


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
