"""Requests of a stack at its smallest and largest scale, compared with what the nodes can give."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from altlas.preflight.check import Check
from altlas.preflight.load import Amount, requests
from altlas.session.kubectl import Kubectl
from components.kubernetes.quantities import millicores

_MEBIBYTE = 1024 * 1024
_BYTES = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024, "Ti": 1024 * 1024}
_ALLOCATABLE = (
    '{range .items[*]}{.spec.unschedulable}{"|"}{.spec.taints}{"|"}{.status.allocatable.cpu}{"|"}'
    '{.status.allocatable.memory}{"\\n"}{end}'
)
_KEEPS_PODS_AWAY = ("NoSchedule", "NoExecute")


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
