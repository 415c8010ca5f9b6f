"""An image as files: manifest, configuration and layers, each named by its digest."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.images.builder import Buildah

# buildah writes the name of its working container into configurations of this format; that is no part of an image.
_BUILDERS_OWN = ("container", "container_config", "parent")


@dataclass(frozen=True)
class ExportedImage:
    """An image that was taken out of the builder.

    Attributes:
        folder: Holds one file for each layer.
        digest: Digest of the manifest.
        configuration: User, entry point, health check, labels and layers.
        layers: Files of the layers, the lowest first.
    """

    folder: Path
    digest: str
    configuration: Mapping[str, Any]
    layers: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes of all layers, compressed."""
        return sum(layer.stat().st_size for layer in self.layers)

    def unpack(self, into: Path) -> None:
        """Lay the layers over each other in an empty folder. The images here remove no file of a lower layer."""
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        for layer in self.layers:
            subprocess.run(["tar", "--extract", "--file", str(layer), "--directory", str(into)], check=True)


def export(builder: Buildah, tag: str, folder: Path) -> ExportedImage:
    """Take an image out of the builder, without what the builder wrote about itself."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    builder.run("push", "--quiet", tag, f"dir:{folder}")
    manifest = json.loads((folder / "manifest.json").read_text())
    configuration = json.loads((folder / _file_of(manifest["config"]["digest"])).read_text())
    for name in _BUILDERS_OWN:
        configuration.pop(name, None)
    configuration["config"].pop("Hostname", None)
    for step in configuration["history"]:
        step.pop("comment", None)
    text = json.dumps(configuration, sort_keys=True, separators=(",", ":")).encode()
    manifest["config"] |= {"digest": f"sha256:{hashlib.sha256(text).hexdigest()}", "size": len(text)}
    whole = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    layers = tuple(folder / _file_of(layer["digest"]) for layer in manifest["layers"])
    return ExportedImage(folder, f"sha256:{hashlib.sha256(whole).hexdigest()}", configuration, layers)


def _file_of(digest: str) -> str:
    return digest.removeprefix("sha256:")
