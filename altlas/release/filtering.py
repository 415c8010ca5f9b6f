"""Filter for everything that the engine prints in a release: no value of a secret passes.

Pulumi 3.259 prints the values of secret properties where it refuses an update plan ("violates plan"), so that part of
a line is left out whole. All else is searched for the secrets of the stack, as they are and encoded: those of its
configuration and those that its state marks.
"""

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

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
        parts = {part for text in secrets for part in (text, *text.splitlines()) if len(part) >= _SHORTEST}
        longest_first = sorted({form for part in parts for form in _forms(part)}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def __call__(self, text: str) -> str:
        """The text without values of secrets."""
        return self._secrets.sub(HIDDEN, _VIOLATION.sub(r"\1(values are left out)", text))


def _forms(text: str) -> Iterator[str]:
    """Forms in which a text may be printed. Base64 without its end, which depends on what follows."""
    content = text.encode()
    yield from (text, html.escape(text), quote(text, safe=""), content.hex(), content.hex().upper())
    for escaped in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        yield from (escaped, json.dumps(escaped)[1:-1])
    # Whole first, so that of a value alone nothing is left.
    for encoded in (b64encode(content).decode("ascii"), urlsafe_b64encode(content).decode("ascii")):
        yield from (encoded, encoded.rstrip("=")[:-1])
    for shift in (1, 2):
        yield b64encode(b"." * shift + content).decode("ascii").rstrip("=")[shift + 1 : -1]


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
