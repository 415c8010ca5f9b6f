"""Objects as an API server answers the update that sent them: with defaults, a status, and the owners of their fields.

Lists and blocks that the API server compares as a whole are named here, and so are the keys of the other lists; they
are those of Kubernetes' own types (`x-kubernetes-list-map-keys`).
"""

import copy
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from altlas.release.owned_fields import EntryKey, Path

WHEN = "2026-11-27T04:20:30Z"
APPLIER = "pulumi-kubernetes-1a2b3c4d"
CONTROLLER = "kube-controller-manager"
NAMED_LISTS = frozenset(
    {"containers", "initContainers", "env", "volumes", "matchConditions", "variables", "listeners", "imagePullSecrets"}
)
_KEYS = {"volumeMounts": ("mountPath",), "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable")}
_WHOLE = frozenset(
    {"nodeSelector", "selector", "secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef", "roleRef"}
    | {"podSelector", "namespaceSelector", "labelSelector"}
)

Object = dict[str, Any]


def keys_of(path: Path, entries: Sequence[Any]) -> tuple[str, ...]:
    """Keys of a list's entries; none where the API server compares the list as a whole."""
    name = str(path[-1])
    if not entries or not all(isinstance(each, Mapping) for each in entries):
        return ()
    if name in NAMED_LISTS:
        return ("name",)
    if name == "ports" and path[:-1] == ("spec",):
        return ("port", "protocol")
    if name == "ports" and all("containerPort" in each for each in entries):
        return ("containerPort", "protocol")
    return _KEYS.get(name, ())


@dataclass(frozen=True)
class Field:
    """A field of an object, which one writer owns.

    Attributes:
        path: Where it is.
        value: What was sent.
        is_entry: Whether it is an entry of a list with keys.
    """

    path: Path
    value: Any
    is_entry: bool = False

    @property
    def is_key(self) -> bool:
        """True if it tells an entry of a list from the others."""
        above = self.path[-2] if len(self.path) > 1 else None
        return isinstance(above, EntryKey) and self.path[-1] in dict(above.fields)


def fields(value: Any, path: Path = ()) -> Iterator[Field]:
    """Fields of an object, and the entries of lists with keys."""
    if isinstance(value, Mapping) and value and (not path or path[-1] not in _WHOLE):
        for name, inner in value.items():
            yield from fields(inner, (*path, name))
    elif isinstance(value, list) and (keys := keys_of(path, value)):
        for each in value:
            entry = (*path, EntryKey(tuple(sorted((key, each.get(key, "TCP")) for key in keys))))
            yield Field(entry, each, is_entry=True)
            for name, inner in each.items():
                yield from fields(inner, (*entry, name))
    elif value is not None:
        yield Field(path, value)


def answered(sent: Mapping[str, Any]) -> Object:
    """An object as the API server answers the update that sent it: with defaults, a status and its owner."""
    live: Object = copy.deepcopy(dict(sent))
    texts = live.pop("stringData", {})
    if texts:
        live["data"] = live.get("data", {}) | {
            name: b64encode(str(text).encode()).decode() for name, text in texts.items()
        }
    _add_defaults(live)
    managed: Object = {"manager": APPLIER, "operation": "Apply", "time": WHEN, "fieldsV1": {}}
    for field in fields(sent):
        own(managed, field.path)
    status = {"manager": CONTROLLER, "operation": "Update", "time": WHEN, "subresource": "status"}
    live["metadata"]["managedFields"] = [managed, {**status, "fieldsV1": {"f:status": {"f:phase": {}}}}]
    live["metadata"] |= {"uid": "0a", "resourceVersion": "7", "creationTimestamp": WHEN, "generation": 3}
    live["status"] = {"phase": "Active"}
    return live


_DEFAULTS = {
    "ports": ("protocol", "TCP"),
    "containers": ("terminationMessagePath", "/dev/termination-log"),
    "initContainers": ("terminationMessagePath", "/dev/termination-log"),
}
"""What the API server adds to each entry of these lists, be they compared as a whole or not."""


def _add_defaults(value: Any) -> None:
    inner = value.items() if isinstance(value, Mapping) else enumerate(value if isinstance(value, list) else ())
    for name, each in inner:
        if name in _DEFAULTS and isinstance(each, list):
            for entry in each:
                entry.setdefault(*_DEFAULTS[name])
        _add_defaults(each)


def field_name(part: str | EntryKey) -> str:
    """Name of a step of a path in the records of owners."""
    return f"f:{part}" if isinstance(part, str) else f"k:{json.dumps(dict(part.fields), separators=(',', ':'))}"


def own(record: Object, path: Path) -> None:
    """Add a field to those of a writer."""
    below = record["fieldsV1"]
    for part in path:
        below = below.setdefault(field_name(part), {".": {}} if isinstance(part, EntryKey) else {})
