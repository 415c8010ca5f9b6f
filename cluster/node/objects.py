"""Objects that a cluster of real nodes has from its start: DNS, metrics, rights of kube-router, volumes.

Every other object belongs to those who deploy. Volumes are folders of the nodes, made beforehand: a fixed number of
them, bound when the first pod needs one, kept when their claim goes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from cluster.node.network import Network
from cluster.nodes import STORAGE_CLASS, storage_class

MANIFESTS = Path(__file__).with_name("manifests")
VOLUMES = 12
"""Volumes of each node: a stack of three-node stores has up to ten claims, and one node may be lost."""

_SIZE = "20Gi"
_VOLUMES_FOLDER = "var/local"


def volume_folders(folder: Path) -> tuple[Path, ...]:
    """Return the folders of a node's volumes, below the node's own folder."""
    return tuple(folder / _VOLUMES_FOLDER / f"volume-{number}" for number in range(VOLUMES))


def objects(network: Network) -> str:
    """Return all objects as one document for kubectl."""
    written = [item for path in sorted(MANIFESTS.glob("*.yaml")) for item in yaml.safe_load_all(path.read_text())]
    volumes = [_volume(node, number) for node in network.nodes for number in range(VOLUMES)]
    default = storage_class("kubernetes.io/no-provisioner")
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [*written, default, *volumes]})


def images_offered(references: list[str]) -> str:
    """Return the object by which everybody on the cluster knows the images of its own registry.

    `altlas preflight` reads it: nodes name only images that they have pulled.
    """
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "local-images", "namespace": "kube-public"},
            "data": {"references": "\n".join(sorted(references))},
        }
    )


def _volume(node: str, number: int) -> dict[str, Any]:
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{node}-volume-{number}"},
        "spec": {
            "capacity": {"storage": _SIZE},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": STORAGE_CLASS,
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": f"/{_VOLUMES_FOLDER}/volume-{number}"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [term]}]}},
        },
    }
