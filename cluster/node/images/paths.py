"""Paths of an image: which of them a process finds there, links followed as the kernel does."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

_MOST_LINKS = 40


def resolve(path: str, entries: Mapping[str, str]) -> str | None:
    """Return the path of the file behind a path; None if there is none.

    Args:
        path: Absolute path.
        entries: Target of each link and an empty text for each file, by path without a leading slash.
    """
    wanted = posixpath.normpath(path).lstrip("/")
    for _ in range(_MOST_LINKS):
        parts = wanted.split("/")
        prefixes = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
        link = next((prefix for prefix in prefixes if entries.get(prefix)), None)
        if link is None:
            return wanted if wanted in entries else None
        target = posixpath.join("/", posixpath.dirname(link), entries[link])
        wanted = posixpath.normpath(target + wanted[len(link) :]).lstrip("/")
    return None
