"""Images as OCI layouts in the cache: what an earlier run has made from the same sources is used again.

Owns the cache and the format. Does not own the content (cluster.node.images.layers) nor any registry.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tools
from cluster.errors import ClusterError
from cluster.node.images.builder import locked
from cluster.node.images.dockerfiles import blobs, build_all
from cluster.node.images.exported import ExportedImage
from cluster.node.images.filling import fill, key
from cluster.node.images.layers import Layer, ProgramLayer
from cluster.node.images.paths import resolve
from cluster.node.images.recipe import NodeImage, ServiceBuild
from cluster.node.images.tarball import Blob, digest_of_bytes, encoded, file_of, write_layer
from tools.cache import default_root

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIGURATION = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_FACTS = "blob.json"
_ARCHIVE = "layer.tar.gz"


def default_cache() -> Path:
    """Return the folder that keeps layers between runs, `${XDG_CACHE_HOME:-~/.cache}/alt-las/images/layers`."""
    return default_root().parent / "images" / "layers"


@dataclass(frozen=True)
class Assembled:
    """An image that is ready to be pushed.

    Attributes:
        image: What it was made from.
        folder: OCI layout, with links to the layers in the cache.
        digest: Digest of its manifest, by which nodes can ask for it.
        size: Bytes of its layers, compressed.
        layers: Digests of its layers, the lowest first.
    """

    image: NodeImage
    folder: Path
    digest: str
    size: int
    layers: tuple[str, ...]


def assemble(images: Iterable[NodeImage], folder: Path, cache: Path) -> list[Assembled]:
    """Put images together.

    Args:
        images: Which ones.
        folder: Existing folder for the layouts, one below it for each image.
        cache: Folder that keeps layers between runs.

    Raises:
        BuildFailedError: A Dockerfile cannot be built; says why.
        ClusterError: A source is not the one that is named, or an image differs from the published one.
        ToolsError: A program or package cannot be had by any way; the text says what was tried.
    """
    wanted = list(images)
    # Two runs that make the same layer would do the work twice.
    with locked(cache):
        made = _layers(dict.fromkeys(layer for image in wanted for layer in image.content), cache)
    # Images of two stacks share a build.
    built = build_all(list(dict.fromkeys(image.build for image in wanted if image.build)))
    below = {build: blobs(exported) for build, exported in built.items()}
    assembled = []
    for number, image in enumerate(wanted):
        if image.build:
            _check_build(image, built[image.build])
        stack = [*(below[image.build] if image.build else ()), *(made[layer] for layer in image.content)]
        assembled.append(_layout(image, folder / str(number), stack, built))
    return assembled


_Stack = list[tuple[Blob, Path]]


def _check_build(image: NodeImage, built: ExportedImage) -> None:
    found = built.configuration["config"]
    facts = (found["User"], tuple(found["Entrypoint"]), tuple(found["Cmd"] or ()), found["WorkingDir"])
    published = image.published
    if facts != (published.user, published.entry_point, published.command, published.working_directory):
        raise ClusterError(
            f"{published.source} makes an image with user, entry point, command and working directory {facts}, and "
            "cluster/node/images/published.py says otherwise. Write these facts there."
        )


def _layers(layers: Collection[Layer], cache: Path) -> dict[Layer, tuple[Blob, Path]]:
    """Each layer with its file; what is not in the cache is made."""
    folders = {layer: cache / key(layer) for layer in layers}
    missing = {layer: folder for layer, folder in folders.items() if _kept(folder) is None}
    toolbox = tools.ensure(sorted(_programs(missing)))
    for layer, folder in missing.items():
        _make(layer, folder, toolbox)
    found = {layer: (_kept(folder), folder / _ARCHIVE) for layer, folder in folders.items()}
    return {layer: (blob, archive) for layer, (blob, archive) in found.items() if blob}


def _kept(folder: Path) -> Blob | None:
    """Facts of a layer in the cache; None where it is missing or they are damaged."""
    try:
        return Blob(**json.loads((folder / _FACTS).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _programs(layers: Collection[Layer]) -> set[str]:
    return {name for layer in layers if isinstance(layer, ProgramLayer) for name, _ in layer.programs}


def _make(layer: Layer, target: Path, toolbox: tools.Toolbox) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        made, root = Path(scratch) / "made", Path(scratch) / "root"
        made.mkdir()
        root.mkdir(mode=0o755)
        blob = write_layer(root, made / _ARCHIVE, fill(layer, root, toolbox))
        (made / _FACTS).write_text(json.dumps(asdict(blob)))
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)


def _layout(image: NodeImage, folder: Path, stack: _Stack, built: Mapping[ServiceBuild, ExportedImage]) -> Assembled:
    _check(image, {path: link for blob, _ in stack for path, link in blob.entries.items()})
    content = folder / "blobs" / "sha256"
    content.mkdir(parents=True)
    for blob, file in stack:
        with suppress(FileExistsError):
            (content / file_of(blob.digest)).symlink_to(file)
    variables = list(built[image.build].configuration["config"]["Env"]) if image.build else []
    document = _configuration(image, [blob.diff_id for blob, _ in stack], variables)
    configuration = _written(content, _CONFIGURATION, document)
    layers = [{"mediaType": _LAYER, "digest": blob.digest, "size": blob.size} for blob, _ in stack]
    manifest = _written(
        content,
        _MANIFEST,
        {"schemaVersion": 2, "mediaType": _MANIFEST, "config": configuration, "layers": layers},
    )
    (folder / "index.json").write_bytes(encoded({"schemaVersion": 2, "manifests": [manifest]}))
    (folder / "oci-layout").write_bytes(encoded({"imageLayoutVersion": "1.0.0"}))
    size, digests = sum(blob.size for blob, _ in stack), tuple(blob.digest for blob, _ in stack)
    return Assembled(image, folder, str(manifest["digest"]), size, digests)


def _check(image: NodeImage, entries: Mapping[str, str]) -> None:
    lacking = [path for path in image.published.programs if resolve(path, entries) is None]
    if lacking:
        raise ClusterError(
            f"The image that stands for {image.references[0]} lacks {', '.join(lacking)}, which the published one has. "
            "Add a layer that has it to its recipe in cluster/node/images/table.py."
        )


def _configuration(image: NodeImage, diff_ids: list[str], variables: list[str]) -> dict[str, Any]:
    published = image.published
    return {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "User": published.user,
            "Env": [*(variables or [f"PATH={published.path}"]), *image.environment],
            "Entrypoint": list(published.entry_point),
            "Cmd": list(published.command),
            "WorkingDir": published.working_directory,
            "Labels": image.labels,
        },
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }


def _written(folder: Path, kind: str, document: Mapping[str, Any]) -> dict[str, Any]:
    content = encoded(document)
    digest = digest_of_bytes(content)
    (folder / file_of(digest)).write_bytes(content)
    return {"mediaType": kind, "digest": digest, "size": len(content)}
