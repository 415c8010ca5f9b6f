"""Canonical JSON (RFC 8785) and the SHA-256 digest over it: equal documents have equal digests."""

import hashlib
from typing import Any

import rfc8785


def canonical(document: Any) -> bytes:  # Any: a tree of JSON
    """The one form of a JSON document.

    Raises:
        rfc8785.CanonicalizationError: It holds what is no JSON, or an integer beyond 2**53.
    """
    text: bytes = rfc8785.dumps(document)
    return text


def digest(document: Any) -> str:  # Any: a tree of JSON
    """SHA-256 of the canonical form, in hexadecimal."""
    return hashlib.sha256(canonical(document)).hexdigest()
