"""VerticalPodAutoscaler that only recommends. Does not own the recommender, which a cluster has once."""

from collections.abc import Sequence

from components.kubernetes.object import Manifest
from components.workloads.objects import Metadata


def recommender(metadata: Metadata, target: str, resources: Sequence[str]) -> Manifest:
    """VerticalPodAutoscaler that only recommends: its status says which requests the pods of a Deployment would need.

    Args:
        metadata: Its metadata.
        target: Name of the Deployment whose pods are observed.
        resources: Resources that it looks at.
    """
    policy = {"containerName": "*", "controlledResources": list(resources), "controlledValues": "RequestsOnly"}
    return {
        "apiVersion": "autoscaling.k8s.io/v1",
        "kind": "VerticalPodAutoscaler",
        "metadata": metadata,
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "updatePolicy": {"updateMode": "Off"},
            "resourcePolicy": {"containerPolicies": [policy]},
        },
    }
