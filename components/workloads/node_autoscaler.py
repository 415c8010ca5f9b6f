"""Annotations of pods for the autoscaler of a cluster's nodes: what it may evict to remove a node, and what not.

Owns the annotations. Does not own the autoscaler, its sizes of nodes nor the disruption budgets, which both heed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from components.settings.workload import NodeAutoscaler

_MAY_NOT = {
    "clusterAutoscaler": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
    "karpenter": {"karpenter.sh/do-not-disrupt": "true"},
}
_LOCAL_VOLUMES = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"


def node_annotations(
    autoscaler: NodeAutoscaler | None, volumes: Sequence[Mapping[str, Any]], *, ends: bool
) -> dict[str, str]:
    """Annotations of a pod.

    Args:
        autoscaler: The autoscaler of the nodes; None for a cluster without one.
        volumes: Volumes of the pod. Without a word about scratch directories, cluster-autoscaler keeps their node for
            good (its FAQ, "What types of pods can prevent CA from removing a node?"); Karpenter does not ask.
        ends: Whether the pod is a Job's, whose work would be lost.
    """
    if autoscaler is None:
        return {}
    if ends:
        return dict(_MAY_NOT[autoscaler])
    scratch = [str(each["name"]) for each in volumes if "emptyDir" in each]
    return {_LOCAL_VOLUMES: ",".join(scratch)} if scratch and autoscaler == "clusterAutoscaler" else {}
