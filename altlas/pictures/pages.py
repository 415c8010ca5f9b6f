"""Writes the generated pages about the architecture and the first dashboard, from rendered objects."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from altlas.pictures.dashboard import dashboard_page
from altlas.pictures.diagram import drawing_of, page
from altlas.session.workspace import Workspace
from components.stack.documents import stack_files
from components.stack.loading import read_platform
from rendering.folders import make_folder
from rendering.recorder import record

PAGE = "architecture.md"
DASHBOARD = "dashboard.md"
_SHOWN = "alt-las-overview.json"
"""Key of the dashboard that is drawn, in the ConfigMap that Grafana reads."""


def recorded(workspace: Workspace) -> dict[str, list[dict[str, Any]]]:
    """Objects of every stack that has a file.

    Raises:
        SettingsError: The settings of a stack are not usable.
    """
    names = list(stack_files(workspace.root))
    platforms = {name: read_platform(workspace.stack_file(name)) for name in names}
    return {name: record(name, platform).objects for name, platform in platforms.items()}


def pages(workspace: Workspace, stack: str) -> dict[str, str]:
    """Page of a stack, and that of its first dashboard where it has some, by file name.

    Raises:
        SettingsError: The settings of a stack are not usable, or it has no file.
    """
    read_platform(workspace.stack_file(stack))
    objects = recorded(workspace)
    found = {name: drawing_of(name, made) for name, made in objects.items()}
    drawing = found.pop(stack)
    return {PAGE: page(drawing, tuple(found.values())), **_dashboard(objects[stack])}


def _dashboard(objects: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    texts = [each["data"][_SHOWN] for each in objects if each["kind"] == "ConfigMap" and _SHOWN in each["data"]]
    return {DASHBOARD: dashboard_page(json.loads(texts[0]))} if texts else {}


def write_pages(workspace: Workspace, stack: str, folder: Path) -> list[Path]:
    """Write all files into a folder and return where they are.

    Raises:
        SettingsError: The settings of a stack are not usable, or it has no file.
        CommandError: The folder cannot be made.
    """
    written = pages(workspace, stack)
    make_folder(folder)
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in written]
