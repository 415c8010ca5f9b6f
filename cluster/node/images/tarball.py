"""Layer of an image: a folder as a compressed tar archive, with the same bytes for the same files.

Owns order, times and owners of the entries. Does not own what is in the folder (cluster.node.images.layers).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

# Half the time of the usual level; a registry on the same machine makes up for the larger files.
_COMPRESSION = 1
_BLOCK_BYTES = 1 << 20
_PERMISSIONS = 0o1777
"""Mode bits that are kept: no program of these images may change its user by itself."""


@dataclass(frozen=True)
class Blob:
    """A file that registries name by its digest.

    Attributes:
        digest: `sha256:` and the checksum of the file.
        size: Bytes.
        diff_id: Digest of the archive before compression, by which a configuration names a layer.
        entries: Target of each link and an empty text for each file in it, by path without a leading slash.
    """

    digest: str
    size: int
    diff_id: str
    entries: Mapping[str, str]


def write_layer(root: Path, file: Path, owners: Mapping[str, int]) -> Blob:
    """Write everything below a folder as one layer.

    Args:
        root: Root of the layer's files.
        file: The archive.
        owners: User and group of single paths; all others belong to root.
    """
    with file.open("wb") as raw:
        packed = _Hashed(raw)
        with gzip.GzipFile("", "wb", _COMPRESSION, packed, mtime=0) as compressed:
            plain = _Hashed(compressed)
            with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
                entries = {}
                for path in _paths(root):
                    name = path.relative_to(root).as_posix()
                    _add(archive, path, name, owners)
                    if path.is_symlink() or path.is_file():
                        entries[name] = str(path.readlink()) if path.is_symlink() else ""
    return Blob(packed.digest, packed.size, plain.digest, entries)


def encoded(document: Mapping[str, Any]) -> bytes:
    """Return a document of an image as the bytes that its digest is of."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def digest_of_bytes(content: bytes) -> str:
    """Return the digest by which a registry names a document."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def file_of(digest: str) -> str:
    """Return the name of the file in an OCI layout that has this digest."""
    return digest.removeprefix("sha256:")


def digest_of(file: Path) -> str:
    """Return the digest of a file as registries write it."""
    checksum = hashlib.sha256()
    with file.open("rb") as content:
        while block := content.read(_BLOCK_BYTES):
            checksum.update(block)
    return f"sha256:{checksum.hexdigest()}"


class _Hashed:
    """A stream that passes on what is written to it, and counts and hashes it."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile) -> None:
        self._stream = stream
        self._checksum = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        return f"sha256:{self._checksum.hexdigest()}"

    def write(self, content: bytes) -> int:
        self._checksum.update(content)
        self.size += len(content)
        return self._stream.write(content)

    def flush(self) -> None:
        self._stream.flush()


def _paths(root: Path) -> Iterator[Path]:
    """Every path below a folder, each folder before what is in it; links to folders are not entered."""
    for path in sorted(root.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _paths(path)


def _add(archive: tarfile.TarFile, path: Path, name: str, owners: Mapping[str, int]) -> None:
    entry = archive.gettarinfo(path, name)
    entry.mtime, entry.uname, entry.gname = 0, "", ""
    entry.uid = entry.gid = owners.get(name, 0)
    entry.mode &= _PERMISSIONS
    if entry.isreg():
        with path.open("rb") as content:
            archive.addfile(entry, content)
    else:
        archive.addfile(entry)
