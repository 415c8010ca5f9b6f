"""Reads and changes values deep inside a manifest by path, such as `spec.containers[0].image`."""

import re
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import Any, Final

_STEP = re.compile(r"\[(\d+)\]|\[\"([^\"]*)\"\]|([^.\[\]]+)")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


class _Absent(Enum):
    """The type of `ABSENT`; an enumeration, so that a copy is the same one."""

    ABSENT = "absent"


ABSENT: Final = _Absent.ABSENT
"""Stands for a key that is not there; writing it removes the key."""


@lru_cache(maxsize=4096)
def steps(path: str) -> tuple[str | int, ...]:
    """The keys and list positions that a path consists of. Keys with dots are written as `labels["a.b/c"]`."""
    return tuple(int(index) if index else quoted or key for index, quoted, key in _STEP.findall(path))


def join(path: str, key: str) -> str:
    """The path of `key` below `path`."""
    if not _PLAIN_KEY.fullmatch(key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def read(tree: Any, path: str, default: Any = None) -> Any:
    """The value at a path, or `default` where any part of the path is missing."""
    for step in steps(path):
        if isinstance(step, int):
            if not isinstance(tree, list) or step >= len(tree):
                return default
        elif not isinstance(tree, dict) or step not in tree:
            return default
        tree = tree[step]
    return tree


def write(tree: Any, path: str, value: Any) -> None:
    """Set the value at a path, making mappings on the way; a list position behind the end appends; `ABSENT` removes.

    Raises:
        LookupError: The path leads through something that does not exist and cannot be made.
    """
    *parents, last = steps(path)
    for step in parents:
        if isinstance(tree, dict) and step not in tree:
            tree[step] = {}
        tree = tree[step]
    if value is ABSENT:
        del tree[last]
    elif isinstance(tree, list) and isinstance(last, int) and last >= len(tree):
        tree.append(value)
    else:
        tree[last] = value


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value below `tree` that is neither a mapping nor a list, with its path."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, join(path, str(key)))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from leaves(value, f"{path}[{index}]")
    else:
        yield path, tree
