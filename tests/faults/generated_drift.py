"""Generated drift: what other writers do to the fields of an object, with the owners that the API server then records.

Owns the changes, and what a classifier shall say about each. Does not own the classifier.
"""

import copy
import random
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from altlas.release.drift import is_excluded
from altlas.release.owned_fields import EntryKey, Path, read, shown
from tests.faults.answered_objects import CONTROLLER, NAMED_LISTS, WHEN, Field, Object, field_name, fields, own

WRITERS = ("kubectl-edit", "kubectl-patch", "kubectl-set", "helm", "argocd-controller", "Mozilla")
_IDENTITY = frozenset({("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")})
_SECRET_BLOCKS = ("data", "stringData")

Expected = tuple[str, str, str, str, str]
"""Kind and name of an object, kind of the drift, field, writer."""


def _disown(live: Object, path: Path) -> None:
    """Take a field from all writers, as the API server does when another one changes or removes it."""
    for record in live["metadata"]["managedFields"]:
        below = record["fieldsV1"]
        for part in path[:-1]:
            below = below.get(field_name(part), {})
        below.pop(field_name(path[-1]), None)


def _give(live: Object, writer: str, *paths: Path) -> None:
    record: Object = {"manager": writer, "operation": "Update", "time": WHEN, "fieldsV1": {}}
    for path in paths:
        own(record, path)
    live["metadata"]["managedFields"].append(record)


def _put(live: Object, path: Path, value: Any) -> None:
    block = read(live, path[:-1])
    block[path[-1]] = value


def _drop(live: Object, path: Path) -> Path:
    """Remove a field with the blocks that are empty then; return the path of the outermost one."""
    above: Any = read(live, path[:-1]) if len(path) > 1 else live
    if isinstance(path[-1], EntryKey):
        above.remove(read(live, path))
    else:
        del above[path[-1]]
    empty = len(path) > 1 and not above
    _disown(live, path)
    return _drop(live, path[:-1]) if empty else path


def _other(value: Any, chance: random.Random) -> Any:
    """Another value of the same type; of a list or block one with a change anywhere in it."""
    match value:
        case bool():
            return not value
        case int():
            return value + chance.choice([-1, 1, 100])
        case str():
            return chance.choice([f"{value}-2", "other", f"{value}0"])
        case dict():
            return _other_block(value, chance)
        case _:
            return _other_list(value, chance)


def _other_block(value: Object, chance: random.Random) -> Object:
    if not value or chance.random() < 1 / 4:
        return value | {"added": "by another"}
    name = chance.choice(sorted(value))
    return value | {name: _other(value[name], chance)}


def _other_list(value: list[Any], chance: random.Random) -> list[Any]:
    if not value or chance.random() < 1 / 4:
        return [*value, copy.deepcopy(value[-1]) if value else "added"]
    index = chance.randrange(len(value))
    if chance.random() < 1 / 3:
        return value[:index] + value[index + 1 :] or [*value, *value]
    return [*value[:index], _other(value[index], chance), *value[index + 1 :]]


@dataclass(frozen=True)
class Done:
    """A drift that was done.

    Attributes:
        kind: `changed`, `added` or `removed`.
        path: The field.
        writer: Who did it, as far as the API server records it.
    """

    kind: str
    path: Path
    writer: str


@dataclass(frozen=True)
class Target:
    """An object that drifts.

    Attributes:
        sent: As the last update sent it.
        live: As the cluster has it; changed in place.
        table: Owners of fields that are excluded.
        chance: Source of choices.
    """

    sent: Object
    live: Object
    table: Mapping[str, str]
    chance: random.Random

    def fields(self, choose: Callable[[Field], bool]) -> list[Field]:
        """Fields that may drift."""
        return [
            each
            for each in fields(self.sent)
            if each.path not in _IDENTITY
            and not (self.sent["kind"] == "Secret" and each.path[0] in _SECRET_BLOCKS)
            and not is_excluded(shown(each.path), self.table)
            and not each.is_key
            and choose(each)
        ]

    def expected(self, done: Done) -> Expected:
        """Answer that a classifier shall give."""
        return self.sent["kind"], self.sent["metadata"]["name"], done.kind, shown(done.path), done.writer


def _change(target: Target, writer: str) -> Done | None:
    found = target.fields(lambda each: not each.is_entry)
    field = target.chance.choice(found)
    _disown(target.live, field.path)
    _put(target.live, field.path, _other(read(target.live, field.path) or field.value, target.chance))
    _give(target.live, writer, field.path)
    return Done("changed", field.path, writer)


def _remove(target: Target, writer: str) -> Done | None:  # noqa: ARG001  # the API server records no writer
    # An empty block is what the API server leaves out by itself.
    found = target.fields(lambda each: each.is_entry or each.value not in ({}, []))
    path = _drop(target.live, target.chance.choice(found).path)
    return Done("removed", path, "")


def _add_label(target: Target, writer: str) -> Done:
    block = target.chance.choice(["labels", "annotations"])
    path = ("metadata", block, target.chance.choice(["example.com/owner", "team", "a.b"]))
    target.live["metadata"].setdefault(block, {})[path[-1]] = "another"
    _give(target.live, writer, path)
    return Done("added", path, writer)


def _add_entry(target: Target, writer: str) -> Done | None:
    found = target.fields(lambda each: each.is_entry and each.path[-2] in NAMED_LISTS)
    if not found:
        return None
    above = target.chance.choice(found).path[:-1]
    path = (*above, EntryKey((("name", "added"),)))
    read(target.live, above).append({"name": "added", "value": "1"})
    _give(target.live, writer, (*path, "name"), (*path, "value"))
    return Done("added", path, writer)


def _change_secret(target: Target, writer: str) -> Done | None:
    names = sorted(target.live.get("data") or {}) if target.sent["kind"] == "Secret" else []
    if not names:
        return None
    path: Path = ("data", target.chance.choice(names))
    if target.chance.random() < 1 / 2 and len(names) > 1:
        return Done("removed", _drop(target.live, path), "")
    _put(target.live, path, b64encode(b"another").decode())
    _disown(target.live, path)
    _give(target.live, writer, path)
    return Done("changed", path, writer)


DRIFTS: Mapping[str, Callable[[Target, str], Done | None]] = {
    "changed": _change,
    "removed": _remove,
    "label or annotation added": _add_label,
    "entry of a list added": _add_entry,
    "content of a Secret": _change_secret,
}
"""Classes of drift, each with what does it; None where the object has no such field."""


def _rewritten(target: Target) -> None:
    """The same value by another writer, as `kubectl apply` of the same file leaves it."""
    field = target.chance.choice(target.fields(lambda each: not each.is_entry))
    _give(target.live, "kubectl-client-side-apply", field.path)


def _noted(target: Target) -> None:
    target.live["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = "4"
    target.live["metadata"]["finalizers"] = ["kubernetes.io/pvc-protection"]
    note = ("metadata", "annotations", "deployment.kubernetes.io/revision")
    _give(target.live, CONTROLLER, note, ("metadata", "finalizers"))


def _empty_left_out(target: Target) -> None:
    for field in target.fields(lambda each: each.value in ({}, [])):
        above = read(target.live, field.path[:-1])
        if field.path[-1] in above:
            del above[field.path[-1]]


def _spelled(target: Target) -> None:
    for field in target.fields(lambda each: "resources" in each.path and isinstance(each.value, str)):
        number = field.value.removesuffix("m")
        if field.value.endswith("m") and number.isdigit() and int(number) % 1000 == 0:
            _put(target.live, field.path, str(int(number) // 1000))
        elif field.value.endswith("Gi"):
            _put(target.live, field.path, f"{int(field.value[:-2]) * 1024}Mi")


NO_DRIFTS: Mapping[str, Callable[[Target], None]] = {
    "written again": _rewritten,
    "notes of controllers": _noted,
    "empty values left out": _empty_left_out,
    "quantities spelled otherwise": _spelled,
}
"""Writes of the cluster and of others that are no drift."""
