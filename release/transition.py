"""Takes one stack's settings into another stack's file: all but identity, which stays with its stack.

Works on the text, so that comments, order and everything outside `alt-las:platform` (secrets, other keys) survive.
"""

from collections.abc import Iterator

import yaml

from components.settings import PlatformSettings
from components.settings.errors import PLATFORM_KEY, Problem, SettingsError
from release.compare import leaves

_Path = tuple[str, ...]


def take_settings(into: str, source: str, identity: PlatformSettings) -> str:
    """Return the stack file `into` with the settings of the stack file `source`.

    Args:
        into: Text of the stack file that takes the settings.
        source: Text of the stack file that gives them.
        identity: Settings of `into`, whose fields of class identity are kept.

    Raises:
        SettingsError: One of the texts has no settings block.
    """
    taken = source
    kept = {
        tuple(path.split(".")): str(leaf.value) for path, leaf in leaves(identity) if leaf.field_class == "identity"
    }
    scalars = [(node, kept[path]) for path, node in _scalars(_settings_node(source)) if path in kept]
    for node, value in sorted(scalars, key=lambda pair: pair[0].start_mark.index, reverse=True):
        taken = _splice(taken, node, value)
    block = _block(taken)
    old = _settings_node(into)
    return into[: old.start_mark.index] + block + into[_end(into, old) :]


def _block(text: str) -> str:
    node = _settings_node(text)
    return text[node.start_mark.index : _end(text, node)]


def _end(text: str, node: yaml.Node) -> int:
    # A block mapping ends, for the parser, where the next key begins; what stands between belongs to that key.
    return len(text[: node.end_mark.index].rstrip()) if node.end_mark.index else 0


def _splice(text: str, node: yaml.Node, value: str) -> str:
    return text[: node.start_mark.index] + value + text[node.end_mark.index :]


def _settings_node(text: str) -> yaml.MappingNode:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for name in ("config", PLATFORM_KEY):
        root = next((value for key, value in root.value if key.value == name), None) if root else None
    if not isinstance(root, yaml.MappingNode):
        raise SettingsError((Problem(PLATFORM_KEY, "is missing or not a block of keys"),))
    return root


def _scalars(node: yaml.Node, path: _Path = ()) -> Iterator[tuple[_Path, yaml.ScalarNode]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, (*path, key.value))
    elif isinstance(node, yaml.ScalarNode):
        yield path, node
