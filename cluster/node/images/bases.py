"""Base images put together here from Debian packages, because no registry can be asked for the published ones.

They stand in for the slim and distroless images that releases name: the same shape (a compiler and a shell in the one,
neither in the other), not the same contents.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cluster.node.images.builder import Buildah
from tools.debian import PackageCache

# Needed to install packages, not to run what is in them.
_INSTALLERS = frozenset(
    {"dpkg", "tar", "debconf", "perl-base", "dash", "bash", "sed", "grep", "debianutils", "coreutils"}
)
_COMPILER_LINKS = {"usr/bin/sh": "dash"}
_BUILDERS = 2
# Tests of the compiler and the parts that it was linked from: 160 MB that no build reads.
_UNUSED = ("usr/share/go-1.19/test", "usr/lib/go-1.19/pkg/linux_amd64/cmd")
_RECIPE = 3
"""Raised when this module makes other images from the same packages."""


@dataclass(frozen=True, kw_only=True)
class Base:
    """One base image.

    Attributes:
        packages: Debian packages; what they need comes with them.
        links: Symbolic links that the packages' own scripts would have made, by path.
        is_bare: Whether shell and package manager are left out.
        keeps: Packages that are not left out nonetheless.
        trees: Files and folders of this machine that come with it, by their path in the image.
    """

    packages: tuple[str, ...] = ()
    links: Mapping[str, str]
    is_bare: bool = False
    keeps: tuple[str, ...] = ()
    trees: Mapping[str, Path] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Changes with the recipe."""
        text = json.dumps([_RECIPE, self.packages, dict(self.links), self.is_bare, sorted(_INSTALLERS)])
        if self.keeps or self.trees:
            text += json.dumps([self.keeps, {path: list(_listed(tree)) for path, tree in self.trees.items()}])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


_SHELL = ("dash", "coreutils")
BASES: Mapping[str, Base] = {
    "go-build": Base(
        packages=("golang-1.19-go", *_SHELL), links=_COMPILER_LINKS | {"usr/bin/go": "../lib/go-1.19/bin/go"}
    ),
    "go-run": Base(links={}, is_bare=True),
    "rust-build": Base(
        packages=("cargo", "rustc", "gcc", "libc6-dev", *_SHELL), links=_COMPILER_LINKS | {"usr/bin/cc": "gcc"}
    ),
    "rust-run": Base(packages=("libc6", "libgcc-s1"), links={}, is_bare=True),
    "node-build": Base(packages=("nodejs", "npm", *_SHELL), links=_COMPILER_LINKS),
    "node-run": Base(packages=("nodejs",), links={}, is_bare=True),
    "python-build": Base(packages=("python3", "python3-pip", *_SHELL), links=_COMPILER_LINKS),
    "python-run": Base(packages=("python3",), links={}, is_bare=True),
}

RUNTIMES: Mapping[str, str] = {"node": "18", "rust": "1.63", "python": "3.11", "go": "1.19"}
"""Versions of the runtimes in Debian's packages above."""


def ensure_bases(
    builder: Buildah, packages: PackageCache, scratch: Path, bases: Mapping[str, Base] = BASES
) -> dict[str, str]:
    """Build the base images that are missing and return each one's name with its digest."""
    with ThreadPoolExecutor(_BUILDERS) as pool:
        names = pool.map(lambda name: _ensure(name, bases[name], builder, packages, scratch), bases)
        return dict(zip(bases, names, strict=True))


def _listed(tree: Path) -> Iterator[tuple[str, int]]:
    """Every file of a tree with its size, from which a change of the tree is known."""
    for path in sorted(tree.rglob("*")) if tree.is_dir() else [tree]:
        if path.is_file():
            yield path.relative_to(tree).as_posix(), path.stat().st_size


def _ensure(name: str, base: Base, builder: Buildah, packages: PackageCache, scratch: Path) -> str:
    repository = f"localhost/alt-las-base/{name}"
    tag = f"{repository}:{base.key}"
    if not builder.has(tag):
        root = scratch / name
        shutil.rmtree(root, ignore_errors=True)
        _fill(root / "root", base, packages)
        (root / "Dockerfile").write_text("FROM scratch\nCOPY root/ /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n")
        # The OCI format holds nothing of the builder, so that the same packages are the same base everywhere.
        builder.build(root / "Dockerfile", root, tag, further=("--format", "oci", "--layers=false"))
        shutil.rmtree(root)
    return f"{repository}@{builder.digest(tag)}"


def _fill(root: Path, base: Base, packages: PackageCache) -> None:
    root.mkdir(parents=True)
    if base.packages:
        packages.unpack(base.packages, root, _INSTALLERS - {*base.keeps} if base.is_bare else ())
    for name in _UNUSED:
        shutil.rmtree(root / name, ignore_errors=True)
    for folder in ("etc", "proc", "sys", "dev", "tmp", "run", "root", "home"):
        (root / folder).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/sbin/nologin\n")
    (root / "etc/group").write_text("root:x:0:\n")
    for path, tree in base.trees.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if tree.is_dir() else shutil.copy2
        copy(tree, root / path)
    for path, target in base.links.items():
        link = root / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
