"""Load of a stack's objects on a cluster: pods, requests, limits and volumes, at rest, during an update and at most.

Pure functions over manifests. Owns the sums. Does not own what nodes can give (`altlas.preflight.nodes`). CPU is in
millicores, memory and volumes in Mi (1024 * 1024 bytes).
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from components.kubernetes.quantities import MEBIBYTES_PER_GIBIBYTE, MILLICORES_PER_CORE, mebibytes, millicores

_SCALED_KIND = "Deployment"
_PERCENT = 100
_TIMED = frozenset({"CronJob", "Job"})
_OPERATED = frozenset({"Prometheus", "Alertmanager"})


@dataclass(frozen=True)
class Amount:
    """CPU in millicores and memory in Mi."""

    cpu: int = 0
    memory: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.cpu + other.cpu, self.memory + other.memory)

    def times(self, number: int) -> "Amount":
        """As much for several pods."""
        return Amount(self.cpu * number, self.memory * number)

    def at_least(self, other: "Amount") -> "Amount":
        """The larger of two amounts, for CPU and memory alone."""
        return Amount(max(self.cpu, other.cpu), max(self.memory, other.memory))

    def fits(self, other: "Amount") -> bool:
        """True if it is no more than another one."""
        return self.cpu <= other.cpu and self.memory <= other.memory

    def __str__(self) -> str:
        return f"{self.cpu / MILLICORES_PER_CORE:.2f} CPU, {self.memory / MEBIBYTES_PER_GIBIBYTE:.1f} GiB"


@dataclass(frozen=True)
class Load:
    """Sum over pods and volumes.

    Attributes:
        pods: Number of pods.
        requests: Requested CPU and memory.
        limits: Limits of CPU and memory.
        volumes: Number of volumes.
        storage: Size of all volumes in Mi.
    """

    pods: int = 0
    requests: Amount = Amount()
    limits: Amount = Amount()
    volumes: int = 0
    storage: int = 0

    def __add__(self, other: "Load") -> "Load":
        return Load(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Load)))


@dataclass(frozen=True)
class WorkloadLoad:
    """Load of one workload.

    Attributes:
        kind: Kind of the object.
        name: Name of the object.
        pod: Load of one of its pods, with the pod's own volumes.
        fewest: Pods at rest: as declared, or the minimum of its autoscaler.
        most: Pods at the maximum of its autoscaler.
        surge: Pods that an update starts before it ends old ones, at rest; with those of a canary, if it has one.
        surge_at_most: The same at the maximum.
        timed: It runs to its end, now and then, so it counts in no sum of pods that always run.
        ending: Pods that an update at the maximum has told to end while their successors run: a quota counts them.
        unnamed: Containers of a pod that name no resources, so that a LimitRange decides them.
    """

    kind: str
    name: str
    pod: Load
    fewest: int
    most: int
    surge: int = 0
    surge_at_most: int = 0
    timed: bool = False
    ending: int = 0
    unnamed: int = 0

    def times(self, pods: int) -> Load:
        """Load of several of its pods."""
        one = self.pod
        storage = one.storage * pods
        return Load(one.pods * pods, one.requests.times(pods), one.limits.times(pods), one.volumes * pods, storage)


class LoadAtScales(Protocol):
    """Load of a stack at each scale: `StackLoad`, or what a program wrote of one."""

    @property
    def rest(self) -> Load:
        """Everything that always runs, at the smallest scale."""

    @property
    def update(self) -> Load:
        """The same while all Deployments roll at once."""

    @property
    def peak(self) -> Load:
        """Everything that always runs, at the largest scale."""

    @property
    def jobs(self) -> Load:
        """All Jobs and CronJobs at once."""


@dataclass(frozen=True)
class StackLoad:
    """Load of a whole stack.

    Attributes:
        workloads: Its workloads, in the order of the program.
        claims: Volumes that belong to no workload, such as those of backups.
    """

    workloads: tuple[WorkloadLoad, ...]
    claims: Load

    @property
    def rest(self) -> Load:
        """Everything that always runs, at the smallest scale."""
        return self._sum(lambda each: each.fewest)

    @property
    def update(self) -> Load:
        """The same while all Deployments roll at once."""
        return self._sum(lambda each: each.fewest + each.surge)

    @property
    def peak(self) -> Load:
        """Everything that always runs, at the largest scale."""
        return self._sum(lambda each: each.most)

    @property
    def peak_update(self) -> Load:
        """The same while all Deployments roll at once."""
        return self._sum(lambda each: each.most + each.surge_at_most)

    @property
    def jobs(self) -> Load:
        """All Jobs and CronJobs at once."""
        return sum((each.times(1) for each in self.workloads if each.timed), Load())

    @property
    def ending(self) -> Load:
        """Pods that may be ending at a time while all Deployments roll at the largest scale."""
        return sum((each.times(each.ending) for each in self.workloads), Load())

    def _sum(self, pods: Callable[[WorkloadLoad], int]) -> Load:
        return sum((each.times(pods(each)) for each in self.workloads if not each.timed), self.claims)


def stack_load(objects: Sequence[Mapping[str, Any]]) -> StackLoad:
    """Load of the objects of a stack, also of the pods that operators make for it."""
    scales = {
        each["spec"]["scaleTargetRef"]["name"]: (each["spec"]["minReplicas"], each["spec"]["maxReplicas"])
        for each in objects
        if each["kind"] == "HorizontalPodAutoscaler"
    }
    canaries = {each["spec"]["targetRef"]["name"] for each in objects if each["kind"] == "Canary"}
    workloads = tuple(found for each in objects if (found := _workload(each, scales, canaries)))
    claims = (_volumes([each["spec"]]) for each in objects if each["kind"] == "PersistentVolumeClaim")
    return StackLoad(workloads, sum(claims, Load()))


def requests(objects: Sequence[Mapping[str, Any]]) -> tuple[Amount, Amount]:
    """Sum of the requests of all pods that always run, with autoscalers at their minimum and at their maximum."""
    load = stack_load(objects)
    return load.rest.requests, load.peak.requests


def _workload(
    manifest: Mapping[str, Any], scales: Mapping[str, tuple[int, int]], canaries: Collection[str]
) -> WorkloadLoad | None:
    pod = _pod(manifest)
    if pod is None:
        return None
    kind, name, spec = manifest["kind"], manifest["metadata"]["name"], manifest["spec"]
    if kind in _TIMED:
        return WorkloadLoad(kind, name, pod, 1, 1, timed=True)
    fixed = spec.get("replicas", spec.get("instances", 1))
    if kind != _SCALED_KIND:
        return WorkloadLoad(kind, name, pod, fixed, fixed, unnamed=len(spec.get("plugins") or ()))
    fewest, most = scales.get(name, (fixed, fixed))
    # Flagger's copy of the pods serves meanwhile, and is updated by itself before the judged ones end.
    surge, at_most = (_surge(spec, pods) + (pods if name in canaries else 0) for pods in (fewest, most))
    # A rollout goes on when a new pod is ready, and does not wait until the old one has ended.
    ending = most if _rolls(spec) else 0
    return WorkloadLoad(kind, name, pod, fewest, most, surge, at_most, ending=ending)


def _rolls(spec: Mapping[str, Any]) -> bool:
    return bool((spec.get("strategy") or {}).get("type") != "Recreate")


def _surge(spec: Mapping[str, Any], pods: int) -> int:
    """Pods beyond the wanted ones during an update; a percentage is rounded up, as Kubernetes does."""
    strategy = spec.get("strategy") or {}
    if not _rolls(spec):
        return 0
    most = str((strategy.get("rollingUpdate") or {}).get("maxSurge", "25%"))
    return math.ceil(pods * int(most[:-1]) / _PERCENT) if most.endswith("%") else int(most)


def _pod(manifest: Mapping[str, Any]) -> Load | None:
    """Load of one pod of a workload, None for an object without pods."""
    kind, spec = manifest["kind"], manifest.get("spec") or {}
    if kind in {"Deployment", "StatefulSet", "Job", "CronJob"}:
        template = spec["jobTemplate"]["spec"]["template"] if kind == "CronJob" else spec["template"]
        pod = template["spec"]
        volumes = _volumes(each["spec"] for each in spec.get("volumeClaimTemplates") or ())
        return _containers(pod["containers"], pod.get("initContainers") or ()) + volumes
    if kind == "Cluster":
        sizes = [spec[key]["size"] for key in ("storage", "walStorage") if spec.get(key)]
        return _containers([spec], ()) + Load(volumes=len(sizes), storage=sum(int(mebibytes(each)) for each in sizes))
    if kind in _OPERATED:
        claim = (spec.get("storage") or {}).get("volumeClaimTemplate")
        containers = [spec, *(spec.get("containers") or ())]
        return _containers(containers, spec.get("initContainers") or ()) + _volumes([claim["spec"]] if claim else [])
    return None


def _containers(containers: Iterable[Mapping[str, Any]], before: Iterable[Mapping[str, Any]]) -> Load:
    """Load of one pod: all containers together, or its largest container that runs before them."""
    together, alone = list(containers), list(before)
    asked, most = (_largest(together, alone, key) for key in ("requests", "limits"))
    return Load(1, asked, most)


def _largest(containers: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]], key: str) -> Amount:
    always = sum((_amount(each, key) for each in containers), Amount())
    for each in before:
        always = always.at_least(_amount(each, key))
    return always


def _amount(container: Mapping[str, Any], key: str) -> Amount:
    given = (container.get("resources") or {}).get(key) or {}
    cpu = millicores(str(given["cpu"])) if "cpu" in given else 0
    return Amount(cpu, int(mebibytes(str(given["memory"]))) if "memory" in given else 0)


def _volumes(claims: Iterable[Mapping[str, Any]]) -> Load:
    sizes = [int(mebibytes(str(each["resources"]["requests"]["storage"]))) for each in claims]
    return Load(volumes=len(sizes), storage=sum(sizes))
