"""Files that people write: those of stacks by name, and readers of YAML and JSON that say what is wrong in a sentence.

Owns what is refused although the syntax allows it: a key that stands twice in one block, of which a reader would
silently use the last. Does not own what a file means.
"""

import json
from pathlib import Path
from typing import Any

import yaml

_PREFIX, _SUFFIX = "Pulumi.", ".yaml"


class UnreadableError(ValueError):
    """File that cannot be read; the message continues a sentence that begins with the file's name."""


def stack_of(file: Path) -> str:
    """Name of the stack of a stack file; it may hold dots."""
    return file.name.removeprefix(_PREFIX).removesuffix(_SUFFIX)


def stack_files(folder: Path) -> dict[str, Path]:
    """Stack files of a folder by the name of their stack, sorted."""
    return {stack_of(file): file for file in sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}"))}


def read_text(path: Path) -> str:
    """Text of a file.

    Raises:
        FileNotFoundError: There is no such file.
        UnreadableError: It cannot be opened, or is no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"is not UTF-8: byte {error.start} in line {line}; save it as UTF-8") from None


def read_yaml(path: Path) -> Any:
    """Content of a YAML file; None if it is empty.

    Raises:
        FileNotFoundError: There is no such file.
        UnreadableError: It cannot be opened, or is no YAML without repeated keys.
    """
    return parse_yaml(read_text(path))


def parse_yaml(text: str) -> Any:
    """Content of a YAML text; None if it is empty.

    Raises:
        UnreadableError: It is no YAML, or a block has a key twice.
    """
    try:
        return yaml.load(text, _OnceLoader)  # noqa: S506  # it makes plain data only
    except yaml.MarkedYAMLError as error:
        raise UnreadableError(_reason(error, text)) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableError(f"is not YAML: {' '.join(str(error).split())}") from None


def read_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises:
        FileNotFoundError: There is no such file.
        UnreadableError: It cannot be opened, or is no JSON.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise UnreadableError(f"is cut off or no JSON: {reason}") from None
    except RecursionError:
        raise UnreadableError("is no JSON of ours: blocks in blocks without end") from None


class _RepeatedKeyError(yaml.MarkedYAMLError):
    """Key that stands twice in one block."""


class _OnceLoader(yaml.CSafeLoader):
    """YAML's plain data, where a key stands once in a block; Pulumi reads its files as strictly."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Make a mapping, unless a key is repeated."""
        known: dict[tuple[str, str], yaml.ScalarNode] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                first = known.setdefault((key.tag, key.value), key)
                if first is not key:
                    raise _RepeatedKeyError(
                        context_mark=first.start_mark, problem=key.value, problem_mark=key.start_mark
                    )
        return super().construct_mapping(node, deep)


def _reason(error: yaml.MarkedYAMLError, text: str) -> str:
    """Cause, place and cure of a fault of YAML."""
    mark, first = error.problem_mark or error.context_mark, error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if isinstance(error, _RepeatedKeyError) and first:
        return f"has the key {error.problem!r} twice in one block: lines {first.line + 1} and {line + 1}; remove one"
    if any(each.lstrip(" ").startswith("\t") for each in text.split("\n")[line : line + 1]):
        return f"is not YAML: line {line + 1} begins with a tab; indent with spaces"
    return f"is not YAML: line {line + 1}, column {column + 1}: {error.problem or error.context}"
