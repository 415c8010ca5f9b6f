"""Nodes of a cluster that take pods, and whether pods fit onto them.

CPU is in millicores, memory in Mi. Pods of others, and what a node runs by itself, do not count.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from altlas.session.kubectl import Kubectl
from components.kubernetes.load import Amount
from components.kubernetes.quantities import millicores
from rendering.errors import CommandError, ExitCode

_MEBIBYTE = 1024 * 1024
_BYTES = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024, "Ti": 1024 * 1024}
_ALLOCATABLE = (
    '{range .items[*]}{.spec.unschedulable}{"|"}{.spec.taints}{"|"}{.status.allocatable.cpu}{"|"}'
    '{.status.allocatable.memory}{"|"}{.status.allocatable.pods}{"\\n"}{end}'
)
_KEEPS_PODS_AWAY = ("NoSchedule", "NoExecute")
_DESCRIBED = re.compile(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})x([1-9][0-9]{0,4})")
_PODS = 110
"""Most pods of a kubelet by default."""


@dataclass(frozen=True)
class ClusterNode:
    """Room for pods.

    Attributes:
        room: Allocatable CPU and memory.
        pods: Most pods.
    """

    room: Amount
    pods: int = _PODS


def read_nodes(kubectl: Kubectl) -> tuple[ClusterNode, ...]:
    """Nodes of a cluster that take pods.

    Raises:
        CommandError: The cluster does not answer or refuses.
    """
    found = []
    for line in kubectl.text("get", "nodes", f"--output=jsonpath={_ALLOCATABLE}").splitlines():
        unschedulable, taints, cpu, memory, pods = line.split("|")
        effects = {taint["effect"] for taint in json.loads(taints or "[]")}
        if unschedulable != "true" and not effects & {*_KEEPS_PODS_AWAY}:
            found.append(ClusterNode(Amount(millicores(cpu), memory_mebibytes(memory)), int(pods or _PODS)))
    return tuple(found)


def described_nodes(text: str) -> tuple[ClusterNode, ...]:
    """Nodes from their number and size, such as `3x4x16`: three with 4 cores and 16 GiB.

    Raises:
        CommandError: The text says something else.
    """
    match = _DESCRIBED.fullmatch(text)
    if not match:
        raise CommandError(
            f"{text!r} describes no nodes; write number, cores and GiB, such as 3x4x16", ExitCode.BAD_INPUT
        )
    number, cores, gibibytes = (int(each) for each in match.groups())
    return (ClusterNode(Amount(cores * 1000, gibibytes * 1024)),) * number


def total(nodes: Iterable[ClusterNode]) -> Amount:
    """Room of all nodes together."""
    return sum((each.room for each in nodes), Amount())


def fit(nodes: Sequence[ClusterNode], pods: Iterable[Amount]) -> bool:
    """Tell whether the pods fit: the largest first, each on the first node with room.

    A sum that fits may still be refused, because no single node has room for a large pod.
    """
    rooms = [(each.room, each.pods) for each in nodes]
    for pod in sorted(pods, key=lambda each: (each.cpu, each.memory), reverse=True):
        for index, (room, places) in enumerate(rooms):
            if places and pod.fits(room):
                rooms[index] = (Amount(room.cpu - pod.cpu, room.memory - pod.memory), places - 1)
                break
        else:
            return False
    return True


def memory_mebibytes(text: str) -> int:
    """Mi of an amount of memory as a cluster writes it, also in plain bytes."""
    return int(int(text) / _MEBIBYTE) if text.isdigit() else int(int(text[:-2]) * _BYTES[text[-2:]])
