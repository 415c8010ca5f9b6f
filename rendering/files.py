"""Kubernetes objects of the program as YAML files, one per object, without a cluster and without an engine."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from rendering.folders import make_folder

_FIRST_KEYS = ("apiVersion", "kind", "metadata")
_MARK = ".altlas-render"


class RenderError(Exception):
    """The output folder holds other files than a rendering."""


def as_yaml(manifest: Mapping[str, Any]) -> str:
    """One object as YAML, deterministic: apiVersion, kind and metadata first, other keys sorted."""
    ordered = {key: manifest[key] for key in _FIRST_KEYS if key in manifest}
    ordered |= {key: manifest[key] for key in sorted(manifest) if key not in ordered}
    text: str = yaml.safe_dump(ordered, sort_keys=False, default_flow_style=False, width=120, allow_unicode=True)
    return text


def file_name(manifest: Mapping[str, Any]) -> str:
    """Name of an object's file: kind and name. Namespaces come first, because `kubectl apply` goes by file name."""
    first = "00-" if manifest["kind"] == "Namespace" else ""
    return f"{first}{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"


def render(objects: Iterable[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Write each object into `folder`, which is emptied first if an earlier rendering filled it.

    Raises:
        RenderError: The folder holds something else than an earlier rendering.
        CommandError: It cannot be created.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / _MARK).exists())):
        raise RenderError(f"{folder} holds something else than an earlier rendering; name an empty or new folder")
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    (folder / _MARK).write_text("By `altlas stack render`, which replaces the whole folder.\n", encoding="utf-8")
    written = []
    for manifest in sorted(objects, key=file_name):
        path = folder / file_name(manifest)
        path.write_text(as_yaml(manifest), encoding="utf-8")
        written.append(path)
    return written
