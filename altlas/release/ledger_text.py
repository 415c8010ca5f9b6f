"""An entry of a ledger in one line for people."""

from typing import Any

from altlas.release.ledger import LedgerEntry

_DIGEST = 64
"""Length of a digest in hexadecimal, of which the beginning is enough to find it."""

_WANTED = ("result", "reason", "incident", "store", "of", "changes", "plan", "approver", "window", "why")


def what(entry: LedgerEntry) -> str:
    """Most telling parts of an entry's body."""
    return ", ".join(f"{key} {_shown(entry.body[key])}" for key in _WANTED if entry.body.get(key))


def _shown(value: Any) -> str:
    if isinstance(value, str) and len(value) == _DIGEST:
        return value[:12]
    if isinstance(value, dict):
        return " ".join(f"{key}={number}" for key, number in sorted(value.items()))
    return str(value)[:60]
