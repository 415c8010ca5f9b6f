"""Owners of fields of a live object, as the API server records them (`metadata.managedFields`).

Pure functions. A path is a tuple: names of fields, and for entries of lists their keys (`EntryKey`) or values.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PULUMI = "pulumi-kubernetes"
"""Beginning of the names under which the Kubernetes provider applies."""


@dataclass(frozen=True)
class EntryKey:
    """Key of an entry of a list, such as its name.

    Attributes:
        fields: Names and values that tell it from the others.
    """

    fields: tuple[tuple[str, Any], ...]


Path = tuple["str | EntryKey", ...]


@dataclass(frozen=True)
class Owner:
    """A person or a program that wrote fields.

    Attributes:
        manager: Name of the field manager, such as kubectl-edit.
        subresource: Interface by which it wrote, such as scale; empty for the object itself.
        since: Time of its last write that changed its fields (RFC 3339, UTC).
        paths: Fields that it owns.
    """

    manager: str
    subresource: str
    since: str
    paths: frozenset[Path]

    @property
    def is_pulumi(self) -> bool:
        """True for the program's own updates."""
        return self.manager.startswith(PULUMI)


def owners(manifest: Mapping[str, Any]) -> tuple[Owner, ...]:
    """Owners of the fields of a live object; those of its status are left out."""
    return tuple(
        Owner(
            each.get("manager", ""),
            each.get("subresource", ""),
            each.get("time", ""),
            frozenset(_paths(each.get("fieldsV1") or {})),
        )
        for each in manifest.get("metadata", {}).get("managedFields") or ()
        if each.get("subresource") != "status"
    )


def shown(path: Path) -> str:
    """A path for people, as `changes.field_changes` writes it."""
    text = ""
    for part in path:
        if isinstance(part, EntryKey):
            text += f"[{','.join(str(value) for _, value in part.fields)}]"
        elif "." in part or "/" in part:
            text += f'["{part}"]'
        else:
            text += f".{part}" if text else part
    return text


def read(manifest: Any, path: Path) -> Any:
    """Value at a path, None where there is none."""
    for part in path:
        if isinstance(part, EntryKey):
            entries = manifest if isinstance(manifest, list) else ()
            manifest = next((each for each in entries if _is(each, part)), None)
        else:
            manifest = manifest.get(part) if isinstance(manifest, Mapping) else None
    return manifest


def pointer(manifest: Any, path: Path) -> str:
    """JSON pointer (RFC 6901) of a path in a manifest; empty where there is nothing at it."""
    text = ""
    for part in path:
        if isinstance(part, EntryKey):
            entries = manifest if isinstance(manifest, list) else ()
            index = next((number for number, each in enumerate(entries) if _is(each, part)), None)
            if index is None:
                return ""
            manifest, text = manifest[index], f"{text}/{index}"
        elif isinstance(manifest, Mapping) and part in manifest:
            manifest, text = manifest[part], f"{text}/{part.replace('~', '~0').replace('/', '~1')}"
        else:
            return ""
    return text


def write(manifest: Any, path: Path, value: Any) -> None:
    """Put a value at a path of a manifest, with the blocks and entries above it; None removes what is there."""
    part, below = path[0], path[1:]
    if isinstance(part, EntryKey):
        at = next((number for number, each in enumerate(manifest) if _is(each, part)), len(manifest))
        if not below:
            manifest[at : at + 1] = [] if value is None else [value]
            return
        if at == len(manifest):
            manifest.append(dict(part.fields))
        write(manifest[at], below, value)
    elif below:
        block = manifest.get(part)
        if block is None:
            block = manifest[part] = [] if isinstance(below[0], EntryKey) else {}
        write(block, below, value)
    elif value is None:
        manifest.pop(part, None)
    else:
        manifest[part] = value


def _is(entry: Any, key: EntryKey) -> bool:
    # The program may leave out what the API server adds, such as the protocol of a port.
    return isinstance(entry, Mapping) and all(entry.get(name, value) == value for name, value in key.fields)


def _paths(fields: Mapping[str, Any], above: Path = ()) -> Iterator[Path]:
    """Fields without fields below them. A set is one field: its values are compared as a whole."""
    for key, below in fields.items():
        kind, _, rest = key.partition(":")
        if key == "." or kind not in {"f", "k"}:
            continue
        part = rest if kind == "f" else EntryKey(tuple(sorted(json.loads(rest).items())))
        here = (*above, part)
        inner = [each for each in below if each != "."]
        if any(each.partition(":")[0] in {"f", "k"} for each in inner):
            yield from _paths(below, here)
        else:
            yield here
