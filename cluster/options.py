"""Options of the user, checked before anything is touched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cluster.control_plane import Layout
from cluster.errors import ClusterRequestError, MissingProgramError
from cluster.variant import API_SERVER

API_PORT_VARIABLE = "ALT_LAS_API_PORT"
HIGHEST_PORT = 65_535


def requested_ports(api_port: int | None) -> dict[str, int]:
    """Return the ports asked for by option or by environment variable; the option wins.

    Raises:
        ClusterRequestError: if it is not a port number.
    """
    value = str(api_port) if api_port is not None else os.environ.get(API_PORT_VARIABLE, "")
    if not value:
        return {}
    if not value.isdecimal() or not 0 < int(value) <= HIGHEST_PORT:
        source = "The API port" if api_port is not None else API_PORT_VARIABLE
        raise ClusterRequestError(f"{source} is {value!r}; it must be a number from 1 to {HIGHEST_PORT}.")
    return {API_SERVER: int(value)}


def check_programs(programs: Mapping[str, Path], needed: tuple[str, ...]) -> None:
    """Make sure that every needed program can be run.

    Raises:
        MissingProgramError: naming those that cannot.
    """
    missing = [name for name in needed if not _can_run(programs.get(name))]
    if missing:
        message = f"Programs not found: {', '.join(missing)}. Install the project's tools, then start again."
        raise MissingProgramError(message)


def check_directory(layout: Layout, title: str) -> None:
    """Make sure that a directory is new, empty or that of such a cluster: deletion removes all of it.

    Raises:
        ClusterRequestError: if it holds anything else.
    """
    root = layout.root
    if root.exists() and (not root.is_dir() or (any(root.iterdir()) and not layout.lock.exists())):
        message = f"{root} holds something other than a {title}. Name a new or an empty directory."
        raise ClusterRequestError(message)


def _can_run(path: Path | None) -> bool:
    return path is not None and path.is_file() and os.access(path, os.X_OK)
