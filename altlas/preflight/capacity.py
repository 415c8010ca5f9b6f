"""Requests of a stack at its smallest and largest scale, compared with what the nodes can give."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from altlas.preflight.check import Check
from altlas.preflight.nodes import read_nodes, total
from altlas.session.kubectl import Kubectl
from components.kubernetes.load import requests


def capacity(kubectl: Kubectl, objects: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Compare requests with the allocatable amounts of all nodes that take pods. Other pods' requests do not count."""
    smallest, largest = requests(objects)
    nodes = read_nodes(kubectl)
    there = total(nodes)
    text = f"{smallest} at the smallest scale, {largest} at the largest; {len(nodes)} nodes have {there}"
    cure = "add or enlarge nodes, or lower resources and minReplicas"
    if not smallest.fits(there):
        yield Check(name="capacity", state="failed", found=text, cure=cure)
    elif not largest.fits(there):
        cure = "add nodes before the load comes, or lower maxReplicas"
        yield Check(name="capacity", state="warning", found=text, cure=cure)
    else:
        yield Check(name="capacity", state="ok", found=text)
