"""Drift: fields of the cluster that are not as the last update left them, with who changed them and since when.

Pure functions over the objects of the state and those of the cluster. Compared is what the program sent; fields that it
never sends belong to the cluster, unless another writer wrote them. Fields that an autoscaler, an operator or the API
server owns are excluded by a table that follows from the program (`excluded`).
"""

import fnmatch
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from altlas.release.changes import object_name
from altlas.release.concealing import SECRET, concealed, is_secret
from altlas.release.field_values import SECRET_BLOCKS, adds, is_same, removed
from altlas.release.owned_fields import EntryKey, Owner, Path, owners, pointer, read, shown
from altlas.release.steps import ObjectName
from rendering.recorder import Registration

Kind = Literal["changed", "added", "removed", "deleted", "orphan"]
_IGNORED = ("metadata.managedFields", "metadata.resourceVersion", "metadata.uid", "metadata.generation", "status")
_LABELS = {"app.kubernetes.io/managed-by": "pulumi", "app.kubernetes.io/part-of": "alt-las"}
_EVERYWHERE: Mapping[str, str] = {
    "metadata.finalizers": "protection of the cluster",
    "metadata.ownerReferences": "garbage collection of the cluster",
    'metadata.annotations[[]"deployment.kubernetes.io/*': "Deployment controller",
    'metadata.annotations[[]"pv.kubernetes.io/*': "volume controller",
    'metadata.annotations[[]"volume.*kubernetes.io/*': "volume controller",
    'metadata.annotations[[]"openshift.io/*': "OpenShift",
    'metadata.annotations[[]"cnpg.io/*': "CloudNativePG",
    'metadata.annotations[[]"*.toolkit.fluxcd.io/*': "Flagger",
    "spec.volumeName": "volume controller",
}
"""Fields that a cluster's own programs write, as patterns, with their owner."""


@dataclass(frozen=True)
class DriftField:
    """One field that is not as the last update left it.

    Attributes:
        object: The object.
        kind: `changed`, `added`, `removed`; `deleted` and `orphan` are about the whole object.
        path: The field; empty for a whole object.
        wanted: Value of the last update, without secrets; see `concealing`.
        found: Value in the cluster, without secrets.
        manager: Who wrote it, as the API server knows it; empty where that is not recorded.
        since: When (RFC 3339, UTC); empty where that is not recorded.
        pointer: JSON pointer of the field in the object of the cluster; empty where it is not there.
    """

    object: ObjectName
    kind: Kind
    path: str
    wanted: Any
    found: Any
    manager: str
    since: str
    pointer: str = ""


@dataclass(frozen=True)
class Cause:
    """Fields that one writer changed in the same way.

    Attributes:
        manager: Who wrote them.
        kind: Kind of the drift.
        path: The field; empty for whole objects.
        fields: The fields, by object.
        since: When the first one was written.
    """

    manager: str
    kind: Kind
    path: str
    fields: tuple[DriftField, ...]

    @property
    def since(self) -> str:
        """When the first of the fields was written."""
        return min(each.since for each in self.fields)


def excluded(objects: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, str]]:
    """Owners of fields by kind and name of an object, as the program's objects say.

    An autoscaler owns the replicas of its target; Flagger those of its target, the pods that the target's Service leads
    to, and the weights of its route.
    """
    table: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for each in objects:
        spec = each.get("spec") or {}
        if each["kind"] == "HorizontalPodAutoscaler":
            target = spec["scaleTargetRef"]
            table[target["kind"], target["name"]]["spec.replicas"] = "HorizontalPodAutoscaler"
        elif each["kind"] == "Canary":
            target = spec["targetRef"]
            table[target["kind"], target["name"]]["spec.replicas"] = "Flagger"
            table["HTTPRoute", target["name"]]["spec.rules"] = "Flagger"
            table["Service", target["name"]]["spec.selector"] = "Flagger"
    return dict(table)


_NOBODY = Owner("", "", "", frozenset())


def drift(
    deployed: Sequence[Registration], live: Sequence[Mapping[str, Any]], applied: Sequence[Mapping[str, Any]] = ()
) -> tuple[DriftField, ...]:
    """Fields that differ, by object.

    Args:
        deployed: Objects as the last update sent them.
        live: Objects of the cluster, with their managed fields.
        applied: Objects as the cluster answered the last update, with its defaults. Without that, what another writer
            has added within a field that is compared as a whole cannot be told from a default.
    """
    return tuple(field for field, _ in drift_with_paths(deployed, live, applied))


def drift_with_paths(
    deployed: Sequence[Registration], live: Sequence[Mapping[str, Any]], applied: Sequence[Mapping[str, Any]] = ()
) -> tuple[tuple[DriftField, Path], ...]:
    """Fields that differ, each with its path; that of a whole object is empty. The arguments are those of `drift`."""
    table = excluded([each.inputs for each in deployed])
    here = {_place(each): each for each in live}
    answered = {_place(each): each for each in applied}
    found: list[tuple[DriftField, Path]] = []
    for each in deployed:
        name = object_name(each)
        place = (name.kind, name.namespace, name.name)
        manifest = here.pop(place, None)
        if manifest is None:
            found.append((DriftField(name, "deleted", "", "", None, "", ""), ()))
        else:
            pair = Pair(name, each.inputs, manifest, answered.get(place))
            found += _fields(pair, table.get((name.kind, name.name), {}))
    return (*found, *((_orphan(each), ()) for each in here.values() if _is_orphan(each)))


def causes(fields: Iterable[DriftField]) -> tuple[Cause, ...]:
    """Fields grouped by writer, kind and path; those on the most objects first."""
    groups: dict[tuple[str, Kind, str], list[DriftField]] = defaultdict(list)
    for each in fields:
        groups[each.manager, each.kind, each.path].append(each)
    found = [Cause(manager, kind, path, tuple(each)) for (manager, kind, path), each in groups.items()]
    return tuple(sorted(found, key=lambda cause: (-len(cause.fields), cause.manager, cause.path)))


@dataclass(frozen=True)
class Pair:
    """An object as it was sent and as it is.

    Attributes:
        name: The object.
        sent: As the last update sent it.
        live: As the cluster has it.
        applied: As the cluster answered the last update; None where that is not known.
    """

    name: ObjectName
    sent: Mapping[str, Any]
    live: Mapping[str, Any]
    applied: Mapping[str, Any] | None


def _fields(pair: Pair, table: Mapping[str, str]) -> Iterator[tuple[DriftField, Path]]:
    name, sent, live = pair.name, pair.sent, pair.live
    owned = owners(live)
    for owner in (each for each in owned if not each.is_pulumi):
        for path in sorted({_whole_entry(sent, path) for path in owner.paths}, key=shown):
            if not is_excluded(shown(path), table) and (kind := _difference(pair, path)):
                hidden = is_secret(name.kind, sent, path)
                wanted, got = (SECRET if hidden else concealed(read(each, path), path) for each in (sent, live))
                where = pointer(live, path)
                yield DriftField(name, kind, shown(path), wanted, got, owner.manager, owner.since, where), path
    for path in removed(sent, live, owned):
        if not is_excluded(shown(path), table):
            value = SECRET if is_secret(name.kind, sent, path) else concealed(read(sent, path), path)
            # A field that is gone has no owner, so its writer is not recorded.
            yield DriftField(name, "removed", shown(path), value, None, "", ""), path


def _whole_entry(sent: Mapping[str, Any], path: Path) -> Path:
    """The path, cut at the first entry of a list that was not sent: such an entry is one difference."""
    for end in range(1, len(path)):
        if isinstance(path[end - 1], EntryKey) and read(sent, path[:end]) is None:
            return path[:end]
    return path


def _difference(pair: Pair, path: Path) -> Kind | None:
    wanted, found = read(pair.sent, path), read(pair.live, path)
    if pair.name.kind == "Secret" and path[0] in SECRET_BLOCKS:
        return "changed"  # what was sent is encrypted; that another writer owns it says that it changed
    if wanted is None:
        return "added" if found is not None else None
    if not is_same(wanted, found):
        return "changed"
    return "changed" if pair.applied is not None and adds(wanted, found, read(pair.applied, path)) else None


def is_excluded(path: str, table: Mapping[str, str]) -> bool:
    """True for a field that the cluster itself, an autoscaler or an operator owns.

    Args:
        path: The field, as `changes.field_changes` writes it.
        table: Owners of the object's fields, from `excluded`.
    """
    if any(path == root or path.startswith((f"{root}.", f"{root}[")) for root in (*_IGNORED, *table)):
        return True
    return any(fnmatch.fnmatchcase(path, f"{pattern}*") for pattern in _EVERYWHERE)


def _place(manifest: Mapping[str, Any]) -> tuple[str, str | None, str]:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace"), metadata["name"]


def _is_orphan(manifest: Mapping[str, Any]) -> bool:
    metadata = manifest["metadata"]
    labels = metadata.get("labels") or {}
    return not metadata.get("ownerReferences") and all(labels.get(name) == value for name, value in _LABELS.items())


def _orphan(manifest: Mapping[str, Any]) -> DriftField:
    version = manifest["apiVersion"]
    token = f"kubernetes:{version if '/' in version else f'core/{version}'}:{manifest['kind']}"
    _, namespace, name = _place(manifest)
    writer = max(owners(manifest), key=lambda each: each.since, default=_NOBODY)
    return DriftField(
        ObjectName(type=token, logical=name, name=name, namespace=namespace),
        "orphan",
        "",
        None,
        None,
        writer.manager,
        writer.since,
    )
