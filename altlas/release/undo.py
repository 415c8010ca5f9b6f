"""Effort to undo the creation, change or deletion of an object: from its inverse step to a restore, or never.

Pure functions over manifests. A migration that a service makes in its own database is not known here.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from altlas.release.steps import FieldChange, Undo
from altlas.update.data_loss import METRICS_KINDS, STATEFUL_KINDS
from components.kubernetes.object import DATA_ANNOTATION
from components.kubernetes.quantities import mebibytes
from components.settings.postgres import major_version, volume_mebibytes

_REPLACED: dict[str, tuple[str, ...]] = {
    "ClusterRoleBinding": ("roleRef",),
    "ConfigMap": ("binaryData", "data"),
    "DaemonSet": ("spec.selector",),
    "Deployment": ("spec.selector",),
    "Job": ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"),
    "RoleBinding": ("roleRef",),
    "Secret": ("data", "stringData", "type"),
    "Service": ("spec.clusterIP",),
    "StatefulSet": (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
}
"""Fields whose change makes the Kubernetes provider 4.25 replace an object (`forceNew` in its pkg/provider/diff.go)."""

_IDENTITY = ("metadata.name", "metadata.namespace")
_SIZES = (
    "spec.resources.requests.storage",
    "spec.storage.size",
    "spec.storage.volumeClaimTemplate.spec.resources.requests.storage",
)
_FEWER = {
    "alertmanager.retentionHours": "what is older than {} hours is deleted",
    "backup.retentionCount": "older backups beyond {} may be deleted",
    "backup.retentionDays": "backups older than {} days may be deleted",
    "loki.retentionDays": "logs older than {} days are deleted",
    "prometheus.retentionDays": "metrics older than {} days are deleted",
}
"""Settings whose lower value deletes data for good."""

_STREAM_LIMITS = ("maxAgeSeconds", "maxBytes")
_KEPT_VOLUMES = "its volumes stay, and the measurements on them"


def undo_of_setting(field: str, before: Any, after: Any) -> tuple[Undo, str]:
    """Effort to undo a change of a setting, and the reason, where the setting itself decides it."""
    if field in _FEWER and isinstance(before, int) and isinstance(after, int) and after < before:
        return "one-way", _FEWER[field].format(after)
    if field == "nats.replicas" and before != after and 1 in (before, after):
        return "restore", "one server and several keep streams apart, so they start empty; back up the messages first"
    if field == "nats.streams" and before and after:
        smaller = sorted(_smaller_streams(before, after))
        if smaller:
            return "one-way", f"messages beyond the new limits of {', '.join(smaller)} may be deleted"
    return "reversible", ""


def undo_of_creation(manifest: Mapping[str, Any]) -> tuple[Undo, str]:
    """Effort to undo a creation, and the reason."""
    if holds_data(manifest):
        return "restore", "its deletion takes the data that it holds by then"
    return "reversible", ""


def undo_of_deletion(manifest: Mapping[str, Any]) -> tuple[Undo, str]:
    """Effort to undo a deletion, and the reason."""
    if manifest["kind"] == "Namespace":
        return "restore", "everything in it is deleted; only a backup outside the cluster brings its data back"
    if holds_data(manifest):
        return "restore", "its data is deleted; only a backup brings it back"
    return "reversible", _KEPT_VOLUMES if manifest["kind"] in METRICS_KINDS else ""


def undo_of_update(before: Mapping[str, Any], fields: Sequence[FieldChange]) -> tuple[Undo, str, bool]:
    """Effort to undo a change, the reason, and whether the object is replaced.

    Args:
        before: The object as it is.
        fields: Differences from it.
    """
    immutable = [each.path for each in fields if _is_within(each.path, (*_IDENTITY, *_replaced(before)))]
    if immutable:
        why = f"{', '.join(immutable[:3])}{' and more' if immutable[3:] else ''} cannot be changed in place"
        if holds_data(before):
            return "restore", f"{why}, and its data is deleted with it; only a backup brings it back", True
        return "replaces", why, True
    for each in fields:
        if reason := _one_way(before, each):
            return "one-way", reason, False
    if before["kind"] == "StatefulSet" and any(each.path.endswith("].image") for each in fields):
        return "restore", "an older version may not read the files of a newer one; make a backup first", False
    return "reversible", "", False


def holds_data(manifest: Mapping[str, Any]) -> bool:
    """Tell whether data goes with an object: by its kind, or by the mark of protected objects."""
    annotations = manifest.get("metadata", {}).get("annotations") or {}
    return manifest["kind"] in STATEFUL_KINDS or DATA_ANNOTATION in annotations


def _replaced(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    return _REPLACED.get(str(manifest["kind"]), ())


def _is_within(path: str, roots: Iterable[str]) -> bool:
    return any(path == root or path.startswith((f"{root}.", f"{root}[")) for root in roots)


def _one_way(before: Mapping[str, Any], change: FieldChange) -> str:
    """Reason why a change of a field cannot be taken back, empty where it can."""
    if change.before is None or change.after is None:
        return ""
    if change.path in _SIZES and volume_mebibytes(str(change.after)) > volume_mebibytes(str(change.before)):
        return f"a volume of {change.after} never shrinks to {change.before}"
    if before["kind"] == "Cluster" and change.path == "spec.imageName":
        first, last = (major_version(_tag(str(image))) for image in (change.before, change.after))
        if first != last:
            return f"PostgreSQL {first} cannot read the files of PostgreSQL {last}"
    return ""


def _tag(image: str) -> str:
    return image.partition("@")[0].rpartition(":")[2]


def _smaller_streams(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> set[str]:
    limits = {each["name"]: each for each in after}
    return {
        each["name"]
        for each in before
        for key in _STREAM_LIMITS
        if each["name"] in limits and _amount(limits[each["name"]][key]) < _amount(each[key])
    }


def _amount(limit: Any) -> Fraction:
    return Fraction(limit) if isinstance(limit, int) else mebibytes(str(limit))
