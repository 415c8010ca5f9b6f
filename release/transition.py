"""Takes one stack's settings into another stack's file: all but identity, which stays with its stack.

Works on the text, so that comments, order and everything outside `alt-las:platform` (secrets, other keys) survive.
What comes out is read again and compared with what it must say, so that no form of YAML can make it wrong unseen.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from components.settings import PlatformSettings
from components.settings.errors import PLATFORM_KEY, Problem, SettingsError
from release.compare import leaves

_Path = tuple[str, ...]
_PLAIN = re.compile(r"[a-z][a-z0-9.-]*")


def take_settings(into: str, source: str, identity: PlatformSettings) -> str:
    """Return the stack file `into` with the settings of the stack file `source`.

    Args:
        into: Text of the stack file that takes the settings.
        source: Text of the stack file that gives them.
        identity: Settings of `into`, whose fields of class identity are kept.

    Raises:
        SettingsError: One of the texts has no settings block, or writes it in a way that cannot be carried over.
    """
    kept = {tuple(path.split(".")): leaf.value for path, leaf in leaves(identity) if leaf.field_class == "identity"}
    old, new = _settings_node(into), _settings_node(source)
    taken = source[: _end(source, new)]
    scalars = [(node, kept[path]) for path, node in _scalars(new) if path in kept]
    for node, value in sorted(scalars, key=lambda pair: pair[0].start_mark.index, reverse=True):
        taken = taken[: node.start_mark.index] + _written(value) + taken[node.end_mark.index :]
    block = _shifted(taken[new.start_mark.index :], old.start_mark.column - new.start_mark.column)
    result = into[: old.start_mark.index] + block + into[_end(into, old) :]
    if not _says(result, into, source, kept):
        message = "cannot be carried over; write it in both stack files as a block of indented keys, without anchors"
        raise SettingsError((Problem(PLATFORM_KEY, message),))
    return result


def _says(result: str, into: str, source: str, kept: Mapping[_Path, Any]) -> bool:
    """Whether `result` holds the settings of `source`, what is kept, and all else of `into`."""
    expected = yaml.safe_load(into)
    expected["config"][PLATFORM_KEY] = yaml.safe_load(source)["config"][PLATFORM_KEY]
    for path, value in kept.items():
        block = expected["config"][PLATFORM_KEY]
        for key in path[:-1]:
            block = block.setdefault(key, {})
        block[path[-1]] = value
    try:
        found: object = yaml.safe_load(result)
    except yaml.YAMLError:
        return False
    return bool(found == expected)


def _end(text: str, node: yaml.MappingNode) -> int:
    """Where a block ends. For the parser it ends where the next key begins; a comment between belongs to that key."""
    start, end = node.start_mark.index, node.end_mark.index
    if node.flow_style:
        return end
    lines = text[start:end].splitlines(keepends=True)
    while lines and not _is_within(lines[-1], node.start_mark.column):
        lines.pop()
    return start + len("".join(lines).rstrip())


def _is_within(line: str, column: int) -> bool:
    content = line.lstrip()
    return bool(content) and not (content.startswith("#") and len(line) - len(content) < column)


def _shifted(block: str, columns: int) -> str:
    """The block with all lines but the first moved to the right, or to the left where `columns` is negative."""
    first, *rest = block.splitlines(keepends=True)
    if columns < 0:
        return first + "".join(re.sub(f"^ {{0,{-columns}}}", "", line) for line in rest)
    return first + "".join(" " * columns + line if line.strip() else line for line in rest)


def _written(value: Any) -> str:  # Any: a leaf of the settings
    """A value as YAML. Text that a parser could take for a number or a truth value is quoted."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and yaml.safe_load(value) == value:
        return value
    return json.dumps(value)


def _settings_node(text: str) -> yaml.MappingNode:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise SettingsError((Problem(PLATFORM_KEY, f"is not in YAML: {' '.join(str(error).split())}"),)) from None
    for name in ("config", PLATFORM_KEY):
        pairs = root.value if isinstance(root, yaml.MappingNode) else ()
        root = next((value for key, value in pairs if key.value == name), None)
    if not isinstance(root, yaml.MappingNode):
        raise SettingsError((Problem(PLATFORM_KEY, "is missing or not a block of keys"),))
    return root


def _scalars(node: yaml.Node, path: _Path = ()) -> Iterator[tuple[_Path, yaml.ScalarNode]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, (*path, key.value))
    elif isinstance(node, yaml.ScalarNode):
        yield path, node
