"""Images of the services from this project's own Dockerfiles, over bases that are put together from Debian packages.

What is built is the stand-in of each service's runtime: it answers health checks and does nothing else. Owns the build
arguments and the cache of what was built. Does not own the Dockerfiles, and builds no service from its source.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from cluster.node.images.bases import BASES, RUNTIMES, ensure_bases
from cluster.node.images.builder import ROOT, Buildah, default_cache, find_builder, locked
from cluster.node.images.exported import ExportedImage, export, read_exported
from cluster.node.images.filling import source_digests
from cluster.node.images.recipe import ServiceBuild
from cluster.node.images.tarball import Blob, digest_of
from tools.debian import PackageCache, default_folder

_SHARED = "platform"
_EPOCH = 0
_REVISION = "0" * 40


def build_all(builds: Sequence[ServiceBuild]) -> dict[ServiceBuild, ExportedImage]:
    """Build images, or take those that an earlier run has built from the same sources.

    Raises:
        BuildFailedError: A build has failed; says why.
        ToolsUnavailableError: Images cannot be built on this machine; says why.
    """
    cache = default_cache()
    with locked(cache):
        found = {build: read_exported(_folder(cache, build), _key(build)) for build in builds}
        missing = [build for build, image in found.items() if image is None]
        if missing:
            builder = find_builder(cache)
            names = [
                f"{runtime}-{stage}" for runtime in {build.runtime for build in missing} for stage in ("build", "run")
            ]
            bases = ensure_bases(
                builder,
                PackageCache(default_folder()),
                builder.storage / "scratch",
                {name: BASES[name] for name in names},
            )
            found |= {build: _built(build, builder, bases, _folder(cache, build)) for build in missing}
    return {build: image for build, image in found.items() if image is not None}


def blobs(image: ExportedImage) -> list[tuple[Blob, Path]]:
    """The layers of a built image with their files, the lowest first."""
    found = []
    for file, diff_id in zip(image.layers, image.configuration["rootfs"]["diff_ids"], strict=True):
        with tarfile.open(file) as archive:
            entries = {
                each.name.removeprefix("./"): each.linkname if each.issym() else ""
                for each in archive
                if not each.isdir()
            }
        found.append((Blob(digest_of(file), file.stat().st_size, diff_id, entries), file))
    return found


def arguments(build: ServiceBuild) -> dict[str, str]:
    """Arguments of a Dockerfile without those of its bases."""
    return {
        "RUNTIME_VERSION": RUNTIMES[build.runtime],
        "SOURCE_DATE_EPOCH": str(_EPOCH),
        "PORT": str(build.port),
        "HEALTH_PATH": build.health_path,
        "TITLE": build.service,
        "VERSION": "stand-in",
        "REVISION": _REVISION,
        "SOURCE": "images/standins",
        "CREATED": "1970-01-01T00:00:00Z",
        # Cargo calls the program as its package.
        **({"BINARY": build.service} if build.runtime == "rust" else {}),
    }


def _folder(cache: Path, build: ServiceBuild) -> Path:
    return cache / "storage" / "exported" / f"node-{build.service}"


def _key(build: ServiceBuild) -> str:
    sources = ("images/standins/" + build.runtime, "images/healthcheck", "images/launcher")
    content = [
        asdict(build),
        arguments(build),
        [BASES[f"{build.runtime}-{stage}"].key for stage in ("build", "run")],
        source_digests((f"images/{build.runtime}.Dockerfile", *sources)),
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _built(build: ServiceBuild, builder: Buildah, bases: Mapping[str, str], folder: Path) -> ExportedImage:
    images = ROOT / "images"
    tag = f"localhost/alt-las/{build.service}:node"
    of_bases = {f"{stage.upper()}_IMAGE": bases[f"{build.runtime}-{stage}"] for stage in ("build", "run")}
    builder.build(
        images / f"{build.runtime}.Dockerfile",
        images / "standins" / build.runtime,
        tag,
        {**of_bases, **arguments(build)},
        further=("--ignorefile", f"{images}/.dockerignore", "--build-context", f"{_SHARED}={images}"),
        epoch=_EPOCH,
    )
    return export(builder, tag, folder, _key(build))
