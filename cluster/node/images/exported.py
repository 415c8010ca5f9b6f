"""An image as files: manifest, configuration and layers, each named by its digest."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.node.images.builder import Buildah
from cluster.node.images.tarball import digest_of_bytes, encoded, file_of

_KEY = "built-from"
# buildah writes the name of its working container into configurations of this format; that is no part of an image.
_BUILDERS_OWN = ("container", "container_config", "parent")


@dataclass(frozen=True)
class ExportedImage:
    """An image that was taken out of the builder.

    Attributes:
        folder: Holds one file for each layer.
        manifest: The manifest, byte for byte.
        configuration: User, entry point, health check, labels and layers.
        layers: Files of the layers, the lowest first.
    """

    folder: Path
    manifest: bytes
    configuration: Mapping[str, Any]
    layers: tuple[Path, ...]

    @property
    def digest(self) -> str:
        """Digest of the manifest, by which registries name the image."""
        return digest_of_bytes(self.manifest)

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

    def copied(self, into: Path) -> "ExportedImage":
        """The same image in a new folder of the caller's own."""
        shutil.copytree(self.folder, into)
        return _read(into)

    def as_layout(self, into: Path) -> Path:
        """Write the image as an OCI layout, from which it can be pushed without a change of its digest."""
        blobs = into / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        for layer in self.layers:
            (blobs / layer.name).symlink_to(layer)
        for content in (self.manifest, encoded(self.configuration)):
            (blobs / file_of(digest_of_bytes(content))).write_bytes(content)
        kind = json.loads(self.manifest)["mediaType"]
        entry = {"mediaType": kind, "digest": self.digest, "size": len(self.manifest)}
        (into / "index.json").write_bytes(encoded({"schemaVersion": 2, "manifests": [entry]}))
        (into / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        return into


def export(builder: Buildah, tag: str, folder: Path, key: str) -> ExportedImage:
    """Take an image out of the builder, without what the builder wrote about itself.

    Args:
        builder: Has the image.
        tag: Name of the image there.
        folder: Where it is kept; what is there already is removed.
        key: Changes with all that the image was built from.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    builder.run("push", "--quiet", tag, f"dir:{folder}")
    (folder / _KEY).write_text(key)
    return _read(folder)


def read_exported(folder: Path, key: str) -> ExportedImage | None:
    """An image that was taken out of the builder before; None if it was built from something else, or is damaged."""
    try:
        return _read(folder) if (folder / _KEY).read_text() == key else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _read(folder: Path) -> ExportedImage:
    manifest = json.loads((folder / "manifest.json").read_text())
    configuration = json.loads((folder / file_of(manifest["config"]["digest"])).read_text())
    for name in _BUILDERS_OWN:
        configuration.pop(name, None)
    configuration["config"].pop("Hostname", None)
    for step in configuration["history"]:
        step.pop("comment", None)
    manifest["config"] |= {"digest": digest_of_bytes(encoded(configuration)), "size": len(encoded(configuration))}
    layers = tuple(folder / file_of(layer["digest"]) for layer in manifest["layers"])
    return ExportedImage(folder, encoded(manifest), configuration, layers)
