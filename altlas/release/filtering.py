"""Filter for everything that the engine prints in a release: no value of a secret passes.

Pulumi 3.259 prints the values of secret properties where it refuses an update plan ("violates plan"), so that part of
a line is left out whole. All else is searched for the secrets of the stack: those of its configuration and those that
its state marks.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from altlas.session.engine import Engine
from rendering.recorder import WRAPPED

HIDDEN = "[secret]"
_SHORTEST = 6
"""Length in characters from which a text is searched for; a shorter one would hide ordinary words."""

_VIOLATION = re.compile(r"(violates plan: ).*")


class Filter:
    """Filter of lines.

    Args:
        secrets: Values that must not pass.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        parts = {part for text in secrets for part in (text, *text.splitlines())}
        longest_first = sorted((part for part in parts if len(part) >= _SHORTEST), key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def __call__(self, text: str) -> str:
        """The text without values of secrets."""
        return self._secrets.sub(HIDDEN, _VIOLATION.sub(r"\1(values are left out)", text))


def filter_of(engine: Engine, stack: str) -> Filter:
    """Filter for the output about a stack. The secrets stay in the memory of this process.

    Raises:
        CommandError: Pulumi cannot decrypt them.
    """
    configuration = json.loads(engine.capture("config", "--show-secrets", "--json", "--stack", stack))
    values = [each["value"] for each in configuration.values() if each.get("secret") and each.get("value")]
    state = json.loads(engine.capture("stack", "export", "--show-secrets", "--stack", stack))
    return Filter((*values, *_marked(state)))


def _marked(value: Any) -> Iterator[str]:
    """Texts within what a state marks as secret."""
    if isinstance(value, Mapping):
        if WRAPPED in value and "plaintext" in value:
            yield from _texts(json.loads(value["plaintext"]))
        else:
            for each in value.values():
                yield from _marked(each)
    elif isinstance(value, list):
        for each in value:
            yield from _marked(each)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
