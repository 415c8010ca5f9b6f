"""Cluster-wide operators and CustomResourceDefinitions (CRDs), pinned.

Owns the list of them, where their manifests come from, what becomes of these manifests, and the record on the cluster.
Does not own the order of an installation (altlas.addons.install) nor the objects that the operators make.
"""

from cluster.addons.manifest import Addon, AddonFile, AddonManifest, load_manifest
from cluster.addons.objects import PART_OF, AddonObjects, addon_objects
from cluster.addons.record import (
    EXTERNAL,
    RECORD_NAME,
    RECORD_NAMESPACE,
    AddonState,
    is_newer,
    newer_versions,
    record_of,
    recorded_version,
    state_of,
)
from cluster.addons.sources import AddonFiles

__all__ = [
    "EXTERNAL",
    "PART_OF",
    "RECORD_NAME",
    "RECORD_NAMESPACE",
    "Addon",
    "AddonFile",
    "AddonFiles",
    "AddonManifest",
    "AddonObjects",
    "AddonState",
    "addon_objects",
    "is_newer",
    "load_manifest",
    "newer_versions",
    "record_of",
    "recorded_version",
    "state_of",
]
