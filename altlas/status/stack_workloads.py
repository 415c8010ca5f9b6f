"""Workloads of one stack: all that its objects name, and no others, such as the copies of a restore."""

from collections.abc import Iterable, Mapping
from typing import Any

from altlas.session.kubectl import Kubectl
from altlas.status.custom_resources import OPERATED, operated_statuses
from altlas.status.rollout import WorkloadStatus, workload_statuses
from components.settings import PlatformSettings

_KINDS = frozenset({"Deployment", "StatefulSet", *OPERATED})


def stack_statuses(
    kubectl: Kubectl, platform: PlatformSettings, objects: Iterable[Mapping[str, Any]], *, operated: bool
) -> tuple[WorkloadStatus, ...]:
    """Status of each workload and custom resource that a stack has; of one that is missing, that nothing runs.

    Args:
        kubectl: The cluster.
        platform: Settings of the stack.
        objects: Objects of the stack, as its program or its state has them.
        operated: Whether operators really run.

    Raises:
        CommandError: The cluster does not answer or refuses.
    """
    named = {(each["kind"], each["metadata"]["name"]) for each in objects if each.get("kind") in _KINDS}
    there = (*workload_statuses(kubectl, platform.namespace), *operated_statuses(kubectl, platform, operated=operated))
    found = tuple(each for each in there if (each.kind, each.name) in named)
    missing = named - {(each.kind, each.name) for each in found}
    return (*found, *(_missing(kind, name) for kind, name in sorted(missing)))


def _missing(kind: str, name: str) -> WorkloadStatus:
    return WorkloadStatus(name, "-", ready=0, wanted=1, updated=0, nodes=(), observed=False, kind=kind, exists=False)
