"""Canaries: texts that stand for secrets, and the search for them in everything that a program has written."""

import gzip
import html
import json
import re
import urllib.parse
import zlib
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping

NUMBER = 50
CANARIES = tuple(f'canary-{number:02d}-"<&\u00e9+/?{number * 7919:06d}' for number in range(NUMBER))
"""Texts that look different in each encoding."""

_GZIP, _GZIP_BASE64 = b"\x1f\x8b\x08", re.compile(rb"H4sI[A-Za-z0-9+/=]{20,}")


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _base64(text: str) -> str:
    """Base64 without its last characters, which depend on what follows."""
    return b64encode(text.encode()).decode().rstrip("=")[:-1]


def _base64_shifted(text: str) -> str:
    """Base64 of the text behind another byte, without what that byte decides."""
    return b64encode(b"." + text.encode()).decode().rstrip("=")[2:-1]


def _base64_shifted_twice(text: str) -> str:
    return b64encode(b".." + text.encode()).decode().rstrip("=")[3:-1]


ENCODINGS: Mapping[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": _json,
    "JSON in JSON": lambda text: _json(_json(text)),
    "JSON without escapes": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "HTML": html.escape,
    "URL": lambda text: urllib.parse.quote(text, safe=""),
    "hexadecimal": lambda text: text.encode().hex(),
    "base64": _base64,
    "base64 after one byte": _base64_shifted,
    "base64 after two bytes": _base64_shifted_twice,
    "base64 for URLs": lambda text: urlsafe_b64encode(text.encode()).decode().rstrip("=")[:-1],
}


def found(canaries: Iterable[str], *written: str | bytes) -> list[tuple[str, str]]:
    """Canaries in what was written, each with its encoding; also within what is compressed there."""
    whole = b"\n".join(_expanded(each.encode() if isinstance(each, str) else each) for each in written)
    return [
        (canary, name)
        for canary in canaries
        for name, encode in ENCODINGS.items()
        if encode(canary).encode() in whole or (name == "hexadecimal" and encode(canary).upper().encode() in whole)
    ]


def _expanded(content: bytes) -> bytes:
    """The content, and behind it what is compressed in it by gzip, plain or in base64."""
    parts = [content]
    for start in (match.start() for match in re.finditer(re.escape(_GZIP), content)):
        try:
            parts.append(zlib.decompressobj(wbits=31).decompress(content[start:]))
        except zlib.error:
            continue
    for match in _GZIP_BASE64.finditer(content):
        try:
            parts.append(gzip.decompress(b64decode(match[0])))
        except (ValueError, OSError, EOFError):
            continue
    return b"\n".join(parts)
