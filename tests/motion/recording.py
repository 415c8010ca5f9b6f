"""Record of a namespace while a test runs: each change of pods, workloads and nodes, by real watches.

Owns the record, its order and the judgement of it. Does not own what happens meanwhile. Events of several watches are
put in order by their resourceVersion, which the API server takes from one counter for all kinds.
"""

import json
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.conftest import Project
from tests.support.loopback import wait_until
from tests.support.running import stays_ready, watching

KINDS = ("pods", "deployments", "statefulsets", "nodes")
_WORKLOADS = ("Deployment", "StatefulSet")

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Event:
    """One change of an object.

    Attributes:
        seconds: Time of the machine's monotonic clock when it was read.
        kind: Type of the event: ADDED, MODIFIED, DELETED.
        manifest: The object after it, or before its deletion.
    """

    seconds: float
    kind: str
    manifest: Manifest

    @property
    def version(self) -> int:
        """Place in the order of all changes of the cluster."""
        return int(self.manifest["metadata"]["resourceVersion"])


@dataclass(frozen=True)
class Sample:
    """State of one workload after an event.

    Attributes:
        seconds: Time of the event.
        ready: Pods that are ready.
        desired: Pods that the workload is asked to have.
        reached: Most pods that were ready since, as far as the workload is still asked to have them.
    """

    seconds: float
    ready: int
    desired: int
    reached: int


@dataclass
class State:
    """Objects as the events left them: pods by UID, workloads and nodes by kind and name."""

    pods: dict[str, Manifest] = field(default_factory=dict)
    others: dict[tuple[str, str], Manifest] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Follow one event."""
        manifest = event.manifest
        metadata = manifest["metadata"]
        if manifest["kind"] == "Pod":
            known: dict[Any, Manifest] = self.pods
            key: Any = metadata["uid"]
        else:
            known, key = self.others, (manifest["kind"], metadata["name"])
        if event.kind == "DELETED":
            known.pop(key, None)
        else:
            known[key] = manifest

    def ready(self, labels: Mapping[str, str]) -> int:
        """Pods with some labels that are ready and stay."""
        return sum(stays_ready(pod) and _has(pod, labels) for pod in self.pods.values())

    def counts(self, workload: Manifest) -> tuple[int, int]:
        """Ready and desired pods of a workload."""
        spec = workload["spec"]
        return self.ready(spec["selector"]["matchLabels"]), spec.get("replicas", 1)

    def workloads(self) -> Iterator[tuple[str, Manifest]]:
        """Workloads by name."""
        return ((name, manifest) for (kind, name), manifest in self.others.items() if kind in _WORKLOADS)


def _has(manifest: Manifest, labels: Mapping[str, str]) -> bool:
    found: Mapping[str, str] = manifest["metadata"].get("labels", {})
    return labels.items() <= found.items()


def samples(events: Iterable[Event]) -> dict[str, list[Sample]]:
    """State of each workload after each event, by name."""
    state, found = State(), dict[str, list[Sample]]()
    for event in sorted(events, key=lambda each: each.version):
        state.take(event)
        if event.manifest["kind"] == "Node":
            continue
        for name, manifest in state.workloads():
            ready, desired = state.counts(manifest)
            row = found.setdefault(name, [])
            reached = min(desired, max(ready, row[-1].reached if row else 0))
            sample = Sample(event.seconds, ready, desired, reached)
            if not row or (row[-1].ready, row[-1].desired) != (ready, desired):
                row.append(sample)
    return found


def budget_violations(rows: Mapping[str, Sequence[Sample]], since: float, may_lack: int = 1) -> tuple[str, ...]:
    """Moments at which a workload had fewer ready pods than its disruption budget leaves.

    Args:
        rows: Samples of each workload.
        since: Time from which on they are judged.
        may_lack: `maxUnavailable` of the budgets.
    """
    return tuple(
        f"{name}: {each.ready} ready of {each.reached}"
        for name, row in rows.items()
        for each in row
        if each.seconds >= since and each.ready < each.reached - may_lack
    )


def quorum_losses(rows: Mapping[str, Sequence[Sample]], stores: Sequence[str], since: float) -> tuple[str, ...]:
    """Moments at which a store had no majority of its servers, once it had all."""
    return tuple(
        f"{name}: {each.ready} of {each.desired}"
        for name in stores
        for each in rows[name]
        if each.seconds >= since and each.reached == each.desired and each.ready <= each.desired // 2
    )


@dataclass
class Recording:
    """Events so far. Safe to read while the watches go on."""

    _events: list[Event] = field(default_factory=list)
    _state: State = field(default_factory=State)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, event: Event) -> None:
        """Note an event. Within one kind, events arrive in their order."""
        with self._lock:
            self._events.append(event)
            self._state.take(event)

    @property
    def events(self) -> list[Event]:
        """Events in the order in which they were read."""
        with self._lock:
            return list(self._events)

    def pods(self) -> list[Manifest]:
        """Pods as they are now."""
        with self._lock:
            return list(self._state.pods.values())

    def nodes(self) -> list[Manifest]:
        """Nodes as they are now."""
        with self._lock:
            return [each for (kind, _), each in self._state.others.items() if kind == "Node"]

    def count(self, name: str) -> tuple[int, int]:
        """Ready and desired pods of a workload as they are now."""
        with self._lock:
            (manifest,) = (each for key, each in self._state.workloads() if key == name)
            return self._state.counts(manifest)

    def samples(self) -> dict[str, list[Sample]]:
        """State of each workload after each event, by name."""
        return samples(self.events)


@contextmanager
def recording(project: Project, namespace: str) -> Iterator[Recording]:
    """Watch a namespace until the block ends."""
    found = Recording()
    with ExitStack() as watches:
        for kind in KINDS:
            watches.enter_context(_watch(project, namespace, kind, found))
        expected = sum(len(project.objects(kind, namespace)) for kind in KINDS)
        wait_until(lambda: len(found.events) >= expected, "the watches have begun")
        yield found


@contextmanager
def _watch(project: Project, namespace: str, kind: str, found: Recording) -> Iterator[None]:
    with watching(project, namespace, kind, subprocess.PIPE) as watch:
        assert watch.stdout is not None
        reader = threading.Thread(target=_read, args=(watch.stdout, found), daemon=True)
        reader.start()
        yield
    reader.join()


def _read(lines: Iterable[str], found: Recording) -> None:
    for line in lines:
        event = json.loads(line)
        found.add(Event(time.monotonic(), event["type"], event["object"]))
