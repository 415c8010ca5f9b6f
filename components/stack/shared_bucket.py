"""Refusal of two stacks that would write to one place of a bucket, as far as their stack files lie in one folder."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.settings.platform import PlatformSettings
from components.stack.documents import read_yaml, stack_files
from components.stack.problems import PLATFORM_KEY, Problem

_BACKUPS, _LOGS = "backup.objectStore", "loki.objectStore"


def shared_bucket_problems(folder: Path, stack: str, platform: PlatformSettings) -> tuple[Problem, ...]:
    """Places in a bucket that another stack of the folder uses, too: each would delete or mix in what is the other's.

    Args:
        folder: Folder of the stack files. Those that cannot be read are their own stack's problem.
        stack: Name of the stack.
        platform: Its settings.
    """
    own = _places(stack, platform.model_dump(mode="json", by_alias=True))
    if not own:
        return ()
    return tuple(
        Problem(f"{PLATFORM_KEY}.{setting}", _message(setting, place, other))
        for other, document in _other_stacks(folder, stack)
        for setting, theirs in _places(other, document).items()
        if (place := own.get(setting)) and _overlap(place, theirs)
    )


def _message(setting: str, place: tuple[str, str, str], other: str) -> str:
    where = f"uses what the stack {other} uses in the bucket {place[1]} of {place[0]}"
    if setting == _LOGS:
        return f"{where}, and Loki has no folder of its own in a bucket; give each stack a bucket"
    return f"{where}: the folder {place[2]}; remove `path`, so that each stack has a folder of its name"


def _overlap(one: tuple[str, str, str], other: tuple[str, str, str]) -> bool:
    """True if one folder is the other, or lies in it."""
    a, b = (f"{each[2]}/" for each in (one, other))
    return one[:2] == other[:2] and (a.startswith(b) or b.startswith(a))


def _places(stack: str, document: Mapping[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Endpoint, bucket and folder by setting."""
    found = {}
    for setting in (_BACKUPS, _LOGS):
        block: Any = document
        for key in setting.split("."):
            block = block.get(key) if isinstance(block, Mapping) else None
        if isinstance(block, Mapping):
            folder = str(block.get("path") or stack) if setting == _BACKUPS else ""
            endpoint = str(block.get("endpoint")).removesuffix(":443")
            found[setting] = (endpoint, str(block.get("bucket")), folder)
    return found


def _other_stacks(folder: Path, stack: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, path in stack_files(folder).items():
        if name != stack:
            try:
                document = read_yaml(path)["config"][PLATFORM_KEY]
            except (OSError, ValueError, TypeError, KeyError):
                continue
            if isinstance(document, Mapping):
                yield name, document
