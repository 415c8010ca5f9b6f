"""Differences of two sets of objects, field by field, as steps of a release.

Owns the comparison. Does not own where objects come from (a rendering, the state, a cluster) nor the effort to undo a
step (`undo`). Objects are paired by kind and Pulumi's name, so that a ConfigMap whose name follows its content, or an
object in a newer version of its API, is one object that changes.
"""

import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from altlas.release.steps import (
    CreateObject,
    DeleteObject,
    FieldChange,
    ObjectName,
    ObjectStep,
    RenameObject,
    ReplaceObject,
    UpdateObject,
)
from altlas.release.undo import undo_of_creation, undo_of_deletion, undo_of_update
from rendering.recorder import Registration

_CONTENT_HASH = re.compile(r"-[0-9a-f]{10}")
_LIST_KEYS = ("name", "mountPath", "containerPort", "port", "key")
_RULE_KEYS = ("alert", "record")

Conceal = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Makes a copy of a manifest in which fingerprints stand for the values of secrets."""


def object_steps(
    before: Iterable[Registration], after: Iterable[Registration], conceal: Conceal
) -> tuple[ObjectStep, ...]:
    """Steps from one set of objects to another, sorted by Pulumi's name: creations and changes, then deletions.

    Args:
        before: Registrations as they are; those that are no Kubernetes objects do not count.
        after: Registrations as they will be.
        conceal: Replaces the values of secrets.
    """
    old, new = _by_identity(before), _by_identity(after)
    steps = [_step(old.get(key), new[key], conceal) for key in sorted(new)]
    gone = [_deletion(old[key], conceal) for key in sorted(old.keys() - new.keys(), reverse=True)]
    return (*(step for step in steps if step), *gone)


def field_changes(before: Any, after: Any, path: str = "") -> Iterator[FieldChange]:
    """Fields of two manifests, or of two parts of them, that differ. A field that is null is a field that is missing.

    Args:
        before: Plain data.
        after: Plain data.
        path: Path of both from the root of the manifest.
    """
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            here = _below(path, str(key))
            yield from field_changes(before.get(key), after.get(key), here)
    elif isinstance(before, list) and isinstance(after, list) and _are_blocks([*before, *after]):
        yield from _list_changes(before, after, path)
    else:
        yield FieldChange(path=path, before=before, after=after)


def object_name(each: Registration) -> ObjectName:
    """Name of a registered object."""
    metadata = each.inputs.get("metadata", {})
    return ObjectName(
        type=each.type, logical=each.name, name=metadata.get("name", each.name), namespace=metadata.get("namespace")
    )


def _by_identity(registrations: Iterable[Registration]) -> dict[tuple[str, str], Registration]:
    return {
        (each.name, each.type.rpartition(":")[2]): each for each in registrations if each.type.startswith("kubernetes:")
    }


def _step(old: Registration | None, new: Registration, conceal: Conceal) -> ObjectStep | None:
    name = object_name(new)
    if old is None:
        undo, why = undo_of_creation(new.inputs)
        return CreateObject(object=name, manifest=conceal(new.inputs), undo=undo, why=why)
    fields = tuple(field_changes(conceal(old.inputs), conceal(new.inputs)))
    if not fields:
        return None
    former = object_name(old).name
    if _is_renamed(former, name.name):
        others = tuple(each for each in fields if each.path != "metadata.name")
        return RenameObject(object=name, former=former, fields=others)
    undo, why, replaced = undo_of_update(old.inputs, fields)
    if replaced:
        return ReplaceObject(object=name, fields=fields, undo=undo, why=why)
    return UpdateObject(object=name, fields=fields, undo=undo, why=why)


def _deletion(old: Registration, conceal: Conceal) -> DeleteObject:
    undo, why = undo_of_deletion(old.inputs)
    return DeleteObject(object=object_name(old), manifest=conceal(old.inputs), undo=undo, why=why)


def _is_renamed(former: str, name: str) -> bool:
    """True for two names of the same beginning that end in a hash of the content."""
    if former == name:
        return False
    return all(_CONTENT_HASH.fullmatch(each[-11:]) for each in (former, name)) and former[:-11] == name[:-11]


def _below(path: str, key: str) -> str:
    shown = f'["{key}"]' if "." in key or "/" in key else key
    return f"{path}.{shown}" if path and not shown.startswith("[") else f"{path}{shown}"


def _are_blocks(entries: Sequence[Any]) -> bool:
    return bool(entries) and all(isinstance(each, Mapping) for each in entries)


def _list_changes(before: Sequence[Any], after: Sequence[Any], path: str) -> Iterator[FieldChange]:
    for name_of in _NAMES:
        old, new = _named(before, name_of), _named(after, name_of)
        if old is not None and new is not None:
            for name in dict.fromkeys([*old, *new]):
                yield from field_changes(old.get(name), new.get(name), f"{path}[{name}]")
            return
    yield from _unnamed_changes(before, after, path)


def _named(entries: Sequence[Any], name_of: Callable[[Any], Any]) -> dict[str, Any] | None:
    """Entries by their names, None unless each has one and no two share it."""
    names = [name_of(each) for each in entries]
    found = {str(name): each for name, each in zip(names, entries, strict=True) if isinstance(name, str | int)}
    return found if len(found) == len(entries) else None


def _rule_name(entry: Mapping[str, Any]) -> str | None:
    """Name of a rule of Prometheus: its alert or record, and its labels, which tell rules of one name apart."""
    name = next((entry[key] for key in _RULE_KEYS if key in entry), None)
    labels = ",".join(f"{key}={value}" for key, value in sorted((entry.get("labels") or {}).items()))
    return f"{name}{{{labels}}}" if isinstance(name, str) else None


def _unnamed_changes(before: Sequence[Any], after: Sequence[Any], path: str) -> Iterator[FieldChange]:
    """Changes of entries without names: equal ones are left out, the rest are paired in their order."""
    texts = [[json.dumps(each, sort_keys=True) for each in entries] for entries in (before, after)]
    old = [index for index, text in enumerate(texts[0]) if text not in texts[1]]
    new = [index for index, text in enumerate(texts[1]) if text not in texts[0]]
    if not old and not new:
        yield FieldChange(path=path, before=list(before), after=list(after))
    for number in range(max(len(old), len(new))):
        one = before[old[number]] if number < len(old) else None
        other = after[new[number]] if number < len(new) else None
        index = old[number] if number < len(old) else new[number]
        yield from field_changes(one, other, f"{path}[{index}]")


_NAMES: tuple[Callable[[Any], Any], ...] = (_rule_name, *(operator.methodcaller("get", key) for key in _LIST_KEYS))
"""Names of an entry of a list: the first that each entry has and no two share."""
