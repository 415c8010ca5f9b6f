"""Reason why a pod is not ready, wherever in the pod it stands. Does not own how pods and events are read."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]

_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
"""States of a container for which nothing went wrong yet, or which waits for another container."""

_PULL_ENDS = frozenset({"Pulled", "Failed", "BackOff"})


def is_ready(pod: Document) -> bool:
    """True if the kubelet counts the pod as ready."""
    return _condition(pod, "Ready").get("status") == "True"


def is_over(pod: Document) -> bool:
    """True if a pod need not be ready: it ends, or it was a Job's and has succeeded."""
    return "deletionTimestamp" in pod["metadata"] or pod["status"].get("phase") == "Succeeded"


def reason_of(pod: Document) -> str:
    """Cause of a pod that is not ready: of the pod as a whole, of the first broken container, or of its placement.

    Debug containers never make a pod unready, so they are no reason.
    """
    status = pod["status"]
    if status.get("reason"):
        return _joined(status)
    found = (*_init_containers(pod), *_containers(pod))
    for about, container in found:
        broken = _broken(container)
        if broken:
            return about + broken
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return _joined(scheduled)
    for about, container in found:
        unfinished = _unfinished(container)
        if unfinished:
            return about + unfinished
    return _of_the_whole(pod)


def newest_warning(pod: Document, events: Iterable[Document]) -> str | None:
    """Newest warning about a pod or one of its volumes."""
    claims = (volume.get("persistentVolumeClaim", {}) for volume in pod.get("spec", {}).get("volumes") or ())
    names = {pod["metadata"]["name"], *(claim["claimName"] for claim in claims if claim)}
    about = [each for each in events if each["involvedObject"].get("name") in names and each.get("type") != "Normal"]
    newest = max(about, key=seen, default=None)
    return f"{newest['reason']}: {newest['message']}" if newest else None


def pulls(pod: Document, events: Iterable[Document]) -> bool:
    """True while a node pulls an image for the pod, which is progress that a Deployment does not see."""
    about = [each for each in events if each["involvedObject"].get("name") == pod["metadata"]["name"]]
    begun = max((seen(each) for each in about if each["reason"] == "Pulling"), default="")
    ended = max((seen(each) for each in about if each["reason"] in _PULL_ENDS), default="")
    every = (*pod["status"].get("initContainerStatuses", ()), *pod["status"].get("containerStatuses", ()))
    waits = any(each.get("state", {}).get("waiting", {}).get("reason") in _STARTING for each in every)
    return waits and begun > ended


def seen(event: Document) -> str:
    """When an event was last seen, as ISO 8601; when it was made, where that is not known."""
    last = event.get("lastTimestamp") or (event.get("series") or {}).get("lastObservedTime") or event.get("eventTime")
    return str(last or event["metadata"]["creationTimestamp"])


def _init_containers(pod: Document) -> Iterator[tuple[str, Document]]:
    for container in pod["status"].get("initContainerStatuses", ()):
        ended = container.get("state", {}).get("terminated")
        if not (ended and ended.get("exitCode") == 0):
            yield f"init container {container.get('name', '?')}: ", container


def _containers(pod: Document) -> Iterator[tuple[str, Document]]:
    containers = pod["status"].get("containerStatuses", ())
    for container in containers:
        yield f"container {container.get('name', '?')}: " if len(containers) > 1 else "", container


def _broken(container: Document) -> str:
    """Fault of a container; empty for one that starts or runs."""
    state, before = container.get("state", {}), container.get("lastState", {}).get("terminated")
    waiting, ended = state.get("waiting"), state.get("terminated")
    if waiting and waiting.get("reason") not in _STARTING:
        return _joined(waiting) + (f"; it ended before by {_end(before)}" if before else "")
    if ended:
        return _end(ended)
    if before and not container.get("ready"):
        return f"restarted {container.get('restartCount', 1)} times, the last time after {_end(before)}"
    return ""


def _unfinished(container: Document) -> str:
    """Missing step of a container that is not broken."""
    state = container.get("state", {})
    if "running" in state and container.get("started") is False:
        return "runs, and its startup probe has not passed yet"
    if "running" in state and container.get("ready") is False:
        return "runs, and its readiness probe fails"
    return _joined(state["waiting"]) if "waiting" in state else ""


def _of_the_whole(pod: Document) -> str:
    ready, containers = _condition(pod, "Ready"), _condition(pod, "ContainersReady")
    if ready.get("status") == "False" and containers.get("status") == "True" and ready.get("message"):
        return _joined(ready)
    statuses = pod["status"].get("containerStatuses", ())
    if statuses and all(each.get("ready") for each in statuses):
        node = pod.get("spec", {}).get("nodeName", "?")
        return f"its containers were ready when node {node} last reported; look at that node"
    if ready.get("message"):
        return _joined(ready)
    return f"phase {pod['status'].get('phase', 'unknown')}, not ready yet"


def _end(terminated: Document) -> str:
    code = terminated.get("exitCode")
    return _joined(terminated) + (f" (exit code {code})" if code is not None else "")


def _joined(found: Document) -> str:
    return ": ".join(filter(None, (found.get("reason"), (found.get("message") or "").strip()))) or "no reason given"


def _condition(pod: Document, wanted: str) -> Document:
    conditions: Iterable[Document] = pod["status"].get("conditions") or ()
    return next((each for each in conditions if each["type"] == wanted), {})
