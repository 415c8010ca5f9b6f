"""Values of fields of a cluster as they may be shown: without what is a secret, or looks like one.

Owns which values are hidden. Does not know the secrets of a stack: others write into its objects, too, so a value
counts by its place, by the name of what holds it, and by its form.
"""

from collections.abc import Mapping
from typing import Any

from altlas.release.owned_fields import EntryKey, Path, read
from components.kubernetes.secret_texts import holds_a_secret, names_a_secret
from rendering.recorder import WRAPPED

SECRET = "[secret]"  # noqa: S105  # stands for any secret
_LABELS = ("metadata", "labels")
_COPY = "kubectl.kubernetes.io/last-applied-configuration"
"""Annotation with a copy of the whole object."""


def is_secret(kind: str, sent: Mapping[str, Any], path: Path) -> bool:
    """True for a field that is hidden as a whole: of a Secret all but its labels, and what the state holds encrypted.

    Args:
        kind: Kind of the object.
        sent: The object as the last update sent it.
        path: The field.
    """
    if path[-1:] == (_COPY,) or (kind == "Secret" and path[:2] != _LABELS):
        return True
    return any(
        isinstance(value := read(sent, path[:end]), Mapping) and WRAPPED in value for end in range(1, len(path) + 1)
    )


def concealed(value: Any, path: Path = ()) -> Any:
    """The value of a field, in which texts that look like secrets are hidden."""
    if path[-1:] == ("value",) and len(path) > 1 and isinstance(path[-2], EntryKey):
        return _without(value, str(dict(path[-2].fields).get("name", "")))
    return _without(value, path[-1] if path and isinstance(path[-1], str) else "")


def _without(value: Any, name: str) -> Any:
    """The value without secrets; `name` is that of the key or the variable that holds it."""
    if isinstance(value, Mapping):
        variable = value.get("name")
        return {key: _without(each, str(variable) if key == "value" else key) for key, each in value.items()}
    if isinstance(value, list):
        return [_without(each, name) for each in value]
    return SECRET if isinstance(value, str) and (names_a_secret(name) or holds_a_secret(value)) else value
