"""The objects that a simulated cluster has from its start.

Owns three Nodes in three zones and the default StorageClass; every other object belongs to those who deploy.
"""

from __future__ import annotations

from typing import Any

from cluster.api_client import ApiClient

ZONES = ("zone-a", "zone-b", "zone-c")
NODES = {f"node-{zone.removeprefix('zone-')}": zone for zone in ZONES}
REGION = "simulated"
STORAGE_CLASS = "standard"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
NOT_READY_TAINT = "node.kubernetes.io/not-ready"


def apply_objects(client: ApiClient) -> None:
    """Create the nodes and the StorageClass, or correct what they own of them."""
    # The stages in volume.yaml play this provisioner. The one inside the controller manager would make directories
    # outside the cluster's own, and could not let volumes grow.
    default = storage_class("sim.alt-las/volume", reclaimPolicy="Delete", allowVolumeExpansion=True)
    client.apply(f"/apis/storage.k8s.io/v1/storageclasses/{STORAGE_CLASS}", default)
    for number, (name, zone) in enumerate(NODES.items()):
        client.apply(f"/api/v1/nodes/{name}", _node(name, zone, number))


def release_leases(client: ApiClient) -> None:
    """Delete the nodes' leases, so that a new kwok need not wait until those of the ended one run out."""
    for name in NODES:
        client.delete(f"{LEASES}/{name}")


def missing_node(client: ApiClient) -> str | None:
    """Return which node cannot run pods yet and why, or None if all can.

    Raises:
        ClusterError: if the API server does not answer.
    """
    for name in NODES:
        node = client.get(f"/api/v1/nodes/{name}")
        if node is None or not _is_ready(node):
            return f"node {name} is not Ready"
        if client.get(f"{LEASES}/{name}") is None:
            return f"node {name} is not managed by kwok"
    return None


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = {entry["type"]: entry["status"] for entry in node.get("status", {}).get("conditions", [])}
    taints = {taint["key"] for taint in node["spec"].get("taints", [])}
    return conditions.get("Ready") == "True" and NOT_READY_TAINT not in taints


def _node(name: str, zone: str, number: int) -> dict[str, Any]:
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": REGION,
        "topology.kubernetes.io/zone": zone,
    }
    # kwok takes the addresses of a node's pods from this range.
    pod_range = f"10.244.{number}.0/24"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"podCIDR": pod_range, "podCIDRs": [pod_range]},
    }


def storage_class(provisioner: str, **more: Any) -> dict[str, Any]:
    """Return the default StorageClass, whose volumes are bound when the first pod needs them.

    Args:
        provisioner: who makes its volumes.
        more: further fields.
    """
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": provisioner,
        "volumeBindingMode": "WaitForFirstConsumer",
        **more,
    }
