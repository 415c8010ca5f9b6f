"""Record of what runs during an update: ready pods of each workload and ready addresses of each Service, by a watch.

Owns the record and the judgement of it. Does not own the update, nor the list of pauses that a test accepts. PostgreSQL
and what operators make have no pods on the simulated cluster, so nothing is said of them.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.e2e.conftest import Project
from tests.support.loopback import wait_until

KINDS = ("pods", "endpointslices")
_WORKLOAD, _SERVICE = "app.kubernetes.io/name", "kubernetes.io/service-name"
_SETTLE_SECONDS = 1.0

Counts = Mapping[str, int]
"""Ready pods and addresses by kind and name, such as `pods redis` and `addresses redis`."""


@dataclass(frozen=True)
class Loss:
    """Something of which less ran during an update than before and after it.

    Attributes:
        name: Kind and name.
        least: Fewest that ran at one time.
        needed: The smaller of the numbers before and after.
    """

    name: str
    least: int
    needed: int

    @property
    def workload(self) -> str:
        """Name of the workload; a headless Service has it in its own."""
        return self.name.partition(" ")[2].removesuffix("-servers")


def losses(samples: Sequence[Counts]) -> tuple[Loss, ...]:
    """Judge a record.

    Args:
        samples: Counts over time; the first is the state before the update, and the last the state after it.

    Returns:
        What ran less at some moment than at both ends, by name. What exists at one end only is no loss.
    """
    before, after = samples[0], samples[-1]
    needed = {name: min(before[name], after[name]) for name in before.keys() & after.keys()}
    least = {name: min(each.get(name, 0) for each in samples) for name in needed}
    return tuple(Loss(name, least[name], count) for name, count in sorted(needed.items()) if least[name] < count)


def samples_of(events: Iterable[Mapping[str, Any]]) -> Iterator[Counts]:
    """Counts after each event of a watch of pods and of EndpointSlices."""
    objects: dict[str, tuple[str, int]] = {}
    for event in events:
        manifest = event["object"]
        uid = manifest["metadata"]["uid"]
        objects.pop(uid, None)
        if event["type"] != "DELETED" and (found := _ready(manifest)):
            objects[uid] = found
        counts: dict[str, int] = {}
        for name, count in objects.values():
            counts[name] = counts.get(name, 0) + count
        yield counts


def _ready(manifest: Mapping[str, Any]) -> tuple[str, int] | None:
    labels = manifest["metadata"].get("labels", {})
    if manifest["kind"] == "EndpointSlice":
        return f"addresses {labels[_SERVICE]}", ready_addresses(manifest)
    owners = {each["kind"] for each in manifest["metadata"].get("ownerReferences", ())}
    # Pods of Jobs come and go.
    if not owners & {"ReplicaSet", "StatefulSet"}:
        return None
    return f"pods {labels[_WORKLOAD]}", int(is_ready(manifest))


def ready_addresses(endpoint_slice: Mapping[str, Any]) -> int:
    """Number of addresses of an EndpointSlice that are ready; one without a word about it is."""
    return sum(each["conditions"].get("ready", True) for each in endpoint_slice.get("endpoints") or ())


def is_ready(pod: Mapping[str, Any]) -> bool:
    """True for a pod that is ready."""
    conditions = {each["type"]: each["status"] for each in pod.get("status", {}).get("conditions", ())}
    return conditions.get("Ready") == "True"


def stays_ready(pod: Mapping[str, Any]) -> bool:
    """True for a pod that is ready and is not being deleted."""
    return is_ready(pod) and "deletionTimestamp" not in pod["metadata"]


@contextmanager
def watched(project: Project, namespace: str, folder: Path) -> Iterator[list[Loss]]:
    """Watch a namespace while the block runs, and give what ran less meanwhile when it has ended."""
    found: list[Loss] = []
    with ExitStack() as watches:
        files = {kind: watches.enter_context(_watch(project, namespace, kind, folder)) for kind in KINDS}
        # The first events are the objects that are there; the last of them completes the state before the update.
        before = {kind: len(project.objects(kind, namespace)) for kind in KINDS}
        wait_until(lambda: all(len(_events(files[kind])) >= before[kind] for kind in KINDS), "the watches have begun")
        yield found
        time.sleep(_SETTLE_SECONDS)
    for kind in KINDS:
        found += losses(list(samples_of(_events(files[kind])))[before[kind] - 1 :])


@contextmanager
def _watch(project: Project, namespace: str, kind: str, folder: Path) -> Iterator[Path]:
    path = folder / f"{kind}.json"
    with path.open("w") as out, watching(project, namespace, kind, out):
        yield path


@contextmanager
def watching(project: Project, namespace: str, kind: str, out: IO[str] | int) -> Iterator["subprocess.Popen[str]"]:
    """Watch that writes its events as JSON, until the block ends; `out` is as Popen takes it."""
    options = ("--namespace", namespace, "--watch", "--output-watch-events", "--output=json")
    environment = {**os.environ, **project.variables()}
    watch = subprocess.Popen(("kubectl", "get", kind, *options), env=environment, stdout=out, text=True)
    try:
        yield watch
    finally:
        watch.terminate()
        watch.wait()


def _events(path: Path) -> list[Mapping[str, Any]]:
    """Events in the output of `kubectl get --watch`, which are not one a line; the last may be incomplete."""
    text, found, position = path.read_text(), [], 0
    with suppress(json.JSONDecodeError):
        while (position := text.find("{", position)) >= 0:
            event, position = json.JSONDecoder().raw_decode(text, position)
            found.append(event)
    return found
