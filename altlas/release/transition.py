"""Takes one stack's settings into another stack's file: all but identity, which stays with its stack.

Works on the text, so that comments, order and everything outside `alt-las:platform` (secrets, other keys) survive.
What comes out is read again and compared with what it must say, so that no form of YAML can make it wrong unseen.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from altlas.release.settings_diff import Leaf, leaves
from components.settings import PlatformSettings
from components.stack.loading import parse_platform
from components.stack.problems import PLATFORM_KEY, Problem, SettingsError

_PLAIN = re.compile(r"[a-z][A-Za-z0-9.-]*")
_NOT_CARRIED_OVER = "cannot be carried over; write it in both stack files as a block of indented keys, without anchors"


Keeps = Callable[[str, Leaf], bool]
"""Decides by path and value whether a setting stays with its stack."""


def is_identity(_: str, leaf: Leaf) -> bool:
    """Tell whether a setting says where a stack lives."""
    return leaf.field_class == "identity"


def take_settings(into: str, source: str, identity: PlatformSettings, keeps: Keeps = is_identity) -> str:
    """Return the stack file `into` with the settings of the stack file `source`.

    Args:
        into: Text of the stack file that takes the settings.
        source: Text of the stack file that gives them.
        identity: Settings of `into`, of which some are kept.
        keeps: Decides which; those of class identity without it.

    Raises:
        SettingsError: One of the texts has no settings block, or writes it in a way that cannot be carried over.
    """
    old, new = _settings_node(into), _settings_node(source)
    taken = source[: _end(source, new)]
    for start, end, text in sorted(_edits(source, new, identity, keeps), reverse=True):
        taken = taken[:start] + text + taken[end:]
    block = _shifted(taken[new.start_mark.index :], old.start_mark.column - new.start_mark.column)
    result = into[: old.start_mark.index] + block + into[_end(into, old) :]
    problems = _problems(result, into, source, identity, keeps)
    if problems:
        raise SettingsError(problems)
    return result


def _edits(
    source: str, block: yaml.MappingNode, identity: PlatformSettings, keeps: Keeps
) -> Iterator[tuple[int, int, str]]:
    """Edits of `source` (start, end, text) after which it has the identity that is kept."""
    given, nodes = _leaves(_settings(source)), dict(_nodes(block))
    missing: dict[str, dict[str, Any]] = {}
    for path, leaf in _leaves(identity).items():
        if not keeps(path, leaf) or given.get(path) == leaf:
            continue
        if node := nodes.get(path):
            yield node.start_mark.index, _end(source, node), _written(leaf.value)
            continue
        *above, key = path.split(".")
        there = next(depth for depth in range(len(above), -1, -1) if ".".join(above[:depth]) in nodes)
        # Blocks that the source does not write out are written once for all their settings.
        within = missing.setdefault(".".join(above[:there]), {})
        for name in above[there:]:
            within = within.setdefault(name, {})
        within[key] = leaf.value
    for path, settings in missing.items():
        yield from _lines(nodes[path], settings)


def _lines(parent: yaml.Node, settings: Mapping[str, Any]) -> Iterator[tuple[int, int, str]]:
    """Edits that put settings at the beginning of a block."""
    start = parent.start_mark.index
    for key, value in settings.items():
        if isinstance(parent, yaml.MappingNode) and parent.flow_style:
            yield start + 1, start + 1, f"{key}: {_written(value)}, "
        else:
            yield start, start, f"{key}: {_written(value)}\n" + " " * parent.start_mark.column


def _problems(result: str, into: str, source: str, identity: PlatformSettings, keeps: Keeps) -> tuple[Problem, ...]:
    """Differences of `result` from identity as it was, all settings of `source`, all else of `into`."""
    try:
        outside = [{**yaml.load(text, yaml.CSafeLoader)["config"], PLATFORM_KEY: None} for text in (result, into)]
        found = _leaves(_settings(result))
    except yaml.YAMLError:
        return (Problem(PLATFORM_KEY, _NOT_CARRIED_OVER),)
    kept, given, written = _leaves(identity), _leaves(_settings(source)), dict(_nodes(_settings_node(source)))
    problems = [] if outside[0] == outside[1] else [Problem(PLATFORM_KEY, _NOT_CARRIED_OVER)]
    for path, leaf in found.items():
        own = keeps(path, leaf)
        if own and path not in kept and path in written:
            problems.append(
                Problem(f"{PLATFORM_KEY}.{path}", "stays with its stack; decide it in this stack file first")
            )
        elif leaf != (kept if own and path in kept else given).get(path):
            problems.append(Problem(f"{PLATFORM_KEY}.{path}", _NOT_CARRIED_OVER))
    lost = [path for path in given if path not in found]
    return (*problems, *(Problem(f"{PLATFORM_KEY}.{path}", _NOT_CARRIED_OVER) for path in lost))


def _settings(text: str) -> PlatformSettings:
    return parse_platform(yaml.load(text, yaml.CSafeLoader)["config"][PLATFORM_KEY])


def _leaves(settings: PlatformSettings) -> dict[str, Leaf]:
    return dict(leaves(settings))


def _end(text: str, node: yaml.Node) -> int:
    """End of a node. The parser ends a block where the next key begins; a comment between belongs to that key."""
    start, end = node.start_mark.index, node.end_mark.index
    if not isinstance(node, yaml.CollectionNode) or node.flow_style:
        return int(end)
    lines = text[start:end].splitlines(keepends=True)
    while lines and not _is_within(lines[-1], node.start_mark.column):
        lines.pop()
    return int(start) + len("".join(lines).rstrip())


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
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_written(key)}: {_written(each)}" for key, each in value.items()) + "}"
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


def _nodes(block: yaml.MappingNode, path: str = "") -> Iterator[tuple[str, yaml.Node]]:
    """Every node below a block by its path, the block itself included."""
    yield path, block
    for key, value in block.value:
        here = f"{path}.{key.value}" if path else key.value
        if isinstance(value, yaml.MappingNode):
            yield from _nodes(value, here)
        else:
            yield here, value
