"""Requests of a stack at its smallest and largest scale, compared with what the nodes can give."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from altlas.preflight.check import Check
from altlas.session.kubectl import Kubectl
from components.kubernetes.quantities import mebibytes, millicores

_MEBIBYTE = 1024 * 1024
_BYTES = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024, "Ti": 1024 * 1024}
_ALLOCATABLE = (
    '{range .items[*]}{.spec.unschedulable}{"|"}{.spec.taints}{"|"}{.status.allocatable.cpu}{"|"}'
    '{.status.allocatable.memory}{"\\n"}{end}'
)
_KEEPS_PODS_AWAY = ("NoSchedule", "NoExecute")


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

    def fits(self, other: "Amount") -> bool:
        """True if it is no more than another one."""
        return self.cpu <= other.cpu and self.memory <= other.memory

    def __str__(self) -> str:
        return f"{self.cpu / 1000:.2f} CPU, {self.memory / 1024:.1f} GiB"


def capacity(kubectl: Kubectl, objects: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Compare requests with the allocatable amounts of all nodes that take pods. Other pods' requests do not count."""
    smallest, largest = requests(objects)
    there, nodes = _allocatable(kubectl)
    text = f"{smallest} at the smallest scale, {largest} at the largest; {nodes} nodes have {there}"
    cure = "add or enlarge nodes, or lower resources and minReplicas"
    if not smallest.fits(there):
        yield Check(name="capacity", state="failed", found=text, cure=cure)
    elif not largest.fits(there):
        cure = "add nodes before the load comes, or lower maxReplicas"
        yield Check(name="capacity", state="warning", found=text, cure=cure)
    else:
        yield Check(name="capacity", state="ok", found=text)


def requests(objects: Sequence[Mapping[str, Any]]) -> tuple[Amount, Amount]:
    """Sum of the requests of all pods that always run, with autoscalers at their minimum and at their maximum."""
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]: (each["spec"]["minReplicas"], each["spec"]["maxReplicas"])
        for each in objects
        if each["kind"] == "HorizontalPodAutoscaler"
    }
    smallest = largest = Amount()
    for each in objects:
        pod = _pod(each)
        if pod is not None:
            name, spec = each["metadata"]["name"], each["spec"]
            replicas = spec.get("replicas", spec.get("instances", 1))
            fewest, most = scaled.get(name, (replicas, replicas)) if each["kind"] == "Deployment" else (replicas,) * 2
            smallest += pod.times(fewest)
            largest += pod.times(most)
    return smallest, largest


def _pod(manifest: Mapping[str, Any]) -> Amount | None:
    """Requests of one pod of a workload, also of those that an operator makes."""
    spec = manifest.get("spec") or {}
    if manifest["kind"] in {"Deployment", "StatefulSet"}:
        return _sum(container.get("resources") for container in spec["template"]["spec"]["containers"])
    if manifest["kind"] == "Cluster":
        return _sum([spec.get("resources")])
    if manifest["kind"] in {"Prometheus", "Alertmanager"}:
        return _sum([spec.get("resources"), *(each.get("resources") for each in spec.get("containers") or ())])
    return None


def _sum(resources: Any) -> Amount:
    total = Amount()
    for each in resources:
        asked = (each or {}).get("requests") or {}
        cpu = millicores(str(asked["cpu"])) if "cpu" in asked else 0
        total += Amount(cpu, int(mebibytes(str(asked["memory"]))) if "memory" in asked else 0)
    return total


def _allocatable(kubectl: Kubectl) -> tuple[Amount, int]:
    total, nodes = Amount(), 0
    for line in kubectl.text("get", "nodes", f"--output=jsonpath={_ALLOCATABLE}").splitlines():
        unschedulable, taints, cpu, memory = line.split("|")
        effects = {taint["effect"] for taint in json.loads(taints or "[]")}
        if unschedulable != "true" and not effects & {*_KEEPS_PODS_AWAY}:
            nodes += 1
            total += Amount(millicores(cpu), _memory(memory))
    return total, nodes


def _memory(text: str) -> int:
    """Mi of an allocatable amount of memory, which a kubelet may also write in plain bytes."""
    return int(int(text) / _MEBIBYTE) if text.isdigit() else int(int(text[:-2]) * _BYTES[text[-2:]])
