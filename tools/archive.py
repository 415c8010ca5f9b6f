"""Taking single programs out of release archives: tar, zip (also Python wheels), Debian packages, plain files."""

import io
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tools.errors import WayFailedError
from tools.manifest import Package, Release

_DEBIAN_MAGIC = b"!<arch>\n"
_DEBIAN_HEADER_BYTES = 60


def unpack(file: Path, release: Release, package: Package, target: Path) -> None:
    """Write a package's programs from a downloaded file into a folder.

    Args:
        file: the download.
        release: says which member of the archive each program is.
        package: names the programs.
        target: an existing folder.

    Raises:
        WayFailedError: the file is damaged or a program is not in it.
    """
    for name in package.programs:
        try:
            with _open_member(file, release.members.get(name)) as source, (target / name).open("wb") as copy:
                shutil.copyfileobj(source, copy)
        except (KeyError, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
            raise WayFailedError(f"{release.url} holds no usable {release.members.get(name, name)}: {error}") from error


@contextmanager
def _open_member(file: Path, member: str | None) -> Iterator[IO[bytes]]:
    if member is None:
        with file.open("rb") as source:
            yield source
    elif zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as zipped, zipped.open(member) as source:
            yield source
    else:
        with _tar_stream(file) as stream, tarfile.open(fileobj=stream) as archive:
            yield _regular_file(archive, member)


def _regular_file(archive: tarfile.TarFile, member: str) -> IO[bytes]:
    source = archive.extractfile(member)
    if source is None:
        raise KeyError(f"{member} is not a regular file")
    return source


@contextmanager
def _tar_stream(file: Path) -> Iterator[IO[bytes]]:
    with file.open("rb") as source:
        if source.read(len(_DEBIAN_MAGIC)) == _DEBIAN_MAGIC:
            yield io.BytesIO(_debian_data(source))
        else:
            source.seek(0)
            yield source


def _debian_data(source: IO[bytes]) -> bytes:
    while len(header := source.read(_DEBIAN_HEADER_BYTES)) == _DEBIAN_HEADER_BYTES:
        name, size = header[:16].decode().strip(" /"), int(header[48:58])
        if name.startswith("data.tar"):
            return source.read(size)
        # Members start at even positions.
        source.seek(size + size % 2, io.SEEK_CUR)
    raise KeyError("the Debian package has no data.tar")
