"""Rules that protect data from deletion: guards of objects, and what is deleted with them."""

from collections.abc import Iterator

from components.kubernetes.object import DATA_ANNOTATION
from policy.manifests import Manifest, group_of, kind_of, name_of
from policy.paths import join, read
from policy.rules.base import Finding, ObjectRule, Parameters

_POSTGRES = "postgresql.cnpg.io"
_HOLDING_DATA = {
    ("", "PersistentVolumeClaim"),
    ("apps", "StatefulSet"),
    (_POSTGRES, "Cluster"),
    (_POSTGRES, "Database"),
    ("barmancloud.cnpg.io", "ObjectStore"),
}
_CLAIM_EVENTS = ("whenDeleted", "whenScaled")


def _holds_data(manifest: Manifest) -> bool:
    if kind_of(manifest) == "StatefulSet" and not read(manifest, "spec.volumeClaimTemplates"):
        return False
    return (group_of(manifest), kind_of(manifest)) in _HOLDING_DATA


def _unguarded(manifest: Manifest, parameters: Parameters) -> Iterator[Finding]:
    path = join("metadata.annotations", DATA_ANNOTATION)
    given_up = name_of(manifest) in parameters.given_up
    if _holds_data(manifest) and not given_up and read(manifest, path) != "protected":
        yield Finding(manifest, path, "is not `protected`, so Pulumi would delete it with its stack or replace it")


def _lost_with_its_object(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if (group_of(manifest), kind_of(manifest)) == (_POSTGRES, "Database"):
        policy = read(manifest, "spec.databaseReclaimPolicy", "retain")
        if policy != "retain":
            yield Finding(manifest, "spec.databaseReclaimPolicy", f"is {policy}")
    if kind_of(manifest) == "PersistentVolume" and read(manifest, "spec.persistentVolumeReclaimPolicy") != "Retain":
        yield Finding(manifest, "spec.persistentVolumeReclaimPolicy", "is not Retain")
    for event in _CLAIM_EVENTS:
        path = f"spec.persistentVolumeClaimRetentionPolicy.{event}"
        if read(manifest, path) == "Delete":
            yield Finding(manifest, path, "is Delete")


RULES = (
    ObjectRule(
        id="data-is-guarded",
        title="Pulumi refuses to delete every object that holds data, unless its name is given up on purpose.",
        reason="A typing error in a name, or a `pulumi destroy` in the wrong stack, would take a database along.",
        fix="register it with stateful_options, or name it in tombstones",
        check=_unguarded,
    ),
    ObjectRule(
        id="data-outlives-its-object",
        title="Databases and volumes stay when the object that made them goes.",
        reason="Objects are replaced by the way; what is in a volume cannot be made again.",
        fix="set the policy to retain (Retain for volumes and claims)",
        check=_lost_with_its_object,
    ),
)
"""Rules about data."""
