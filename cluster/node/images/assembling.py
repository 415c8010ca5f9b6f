"""Images as OCI layouts in the cache: what an earlier run has made from the same sources is used again.

Owns the cache and the format. Does not own the content (cluster.node.images.layers) nor any registry.
"""

from __future__ import annotations

import fcntl
import hashlib
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
from cluster.node.images.dockerfiles import blobs, build_all
from cluster.node.images.exported import ExportedImage
from cluster.node.images.filling import fill, key
from cluster.node.images.layers import Layer, ProgramLayer
from cluster.node.images.paths import resolve
from cluster.node.images.recipe import NodeImage, ServiceBuild
from cluster.node.images.tarball import Blob, write_layer
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
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        # Two runs that make the same layer would do the work twice.
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = _layers({key(layer): layer for image in wanted for layer in image.content}, cache)
    built = build_all([image.build for image in wanted if image.build])
    return [
        _layout(image, folder / str(number), _stack(image, made, built, cache), built)
        for number, image in enumerate(wanted)
    ]


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


def _stack(
    image: NodeImage, made: Mapping[str, Blob], built: Mapping[ServiceBuild, ExportedImage], cache: Path
) -> _Stack:
    """The layers of an image with their files, the lowest first."""
    below = []
    if image.build:
        _check_build(image, built[image.build])
        below = blobs(built[image.build])
    return below + [(made[key(layer)], cache / key(layer) / _ARCHIVE) for layer in image.content]


def _layers(layers: Mapping[str, Layer], cache: Path) -> dict[str, Blob]:
    missing = {name: layer for name, layer in layers.items() if not (cache / name / _FACTS).exists()}
    toolbox = tools.ensure(sorted(_programs(missing.values())))
    for name, layer in missing.items():
        _make(layer, cache / name, toolbox)
    return {name: Blob(**json.loads((cache / name / _FACTS).read_text())) for name in layers}


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
            (content / _file_of(blob.digest)).symlink_to(file)
    variables = list(built[image.build].configuration["config"]["Env"]) if image.build else []
    document = _configuration(image, [blob.diff_id for blob, _ in stack], variables)
    configuration = _written(content, _CONFIGURATION, document)
    layers = [{"mediaType": _LAYER, "digest": blob.digest, "size": blob.size} for blob, _ in stack]
    manifest = _written(
        content,
        _MANIFEST,
        {"schemaVersion": 2, "mediaType": _MANIFEST, "config": configuration, "layers": layers},
    )
    (folder / "index.json").write_bytes(_encoded({"schemaVersion": 2, "manifests": [manifest]}))
    (folder / "oci-layout").write_bytes(_encoded({"imageLayoutVersion": "1.0.0"}))
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
    content = _encoded(document)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    (folder / _file_of(digest)).write_bytes(content)
    return {"mediaType": kind, "digest": digest, "size": len(content)}


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _file_of(digest: str) -> str:
    return digest.removeprefix("sha256:")
