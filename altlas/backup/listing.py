"""Backups in the log of a Job that lists them."""

import json
from typing import Any


def split_list(log: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The backups in the log of `python -m backup list`, and all other lines of it."""
    backups, others = [], []
    for line in log.splitlines():
        try:
            document = json.loads(line)
        except ValueError:
            document = None
        if isinstance(document, dict) and "backup" in document:
            backups.append(document)
        elif line:
            others.append(line)
    return backups, others
