"""Fingerprints of secrets: they show that a value differs and never what it is.

A fingerprint is keyed (HMAC-SHA256), so that nobody without the key can find a short password by trying.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

_SECRET_BLOCKS = ("data", "stringData")
_SHOWN = 12  # hexadecimal digits: 48 bits, so that two values of a stack do not meet
RENDERED_KEY = b"placeholders"
"""Key for renderings whose secrets are placeholders, the same on every machine."""


def fingerprint(value: Any, key: bytes) -> str:
    """Keyed fingerprint of a value, such as `hmac:0123456789ab`."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return "hmac:" + hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:_SHOWN]


def concealed(manifest: Mapping[str, Any], key: bytes) -> Mapping[str, Any]:
    """The manifest; values of a Secret are fingerprints."""
    if manifest["kind"] != "Secret":
        return manifest
    blocks = {name: _conceal(manifest[name], key) for name in _SECRET_BLOCKS if name in manifest}
    return {**manifest, **blocks}


def _conceal(block: Any, key: bytes) -> Any:
    """Fingerprints by name; one for the whole where it is no block, as an encrypted value of the state."""
    if not isinstance(block, Mapping):
        return fingerprint(block, key)
    return {name: fingerprint(value, key) for name, value in block.items()}
