"""Replacement of a file: a reader sees the old content or the new one, also after a crash."""

import errno
import os
import tempfile
from pathlib import Path


def write_durably(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file as a whole; its content is on the disk when this returns.

    Args:
        path: The file; its folder is made where it is missing.
        content: The new content.
        mode: Permissions, of which the user's umask takes some.

    Raises:
        OSError: The file before is untouched; raised also for a folder or a device, which would be replaced by a file.
    """
    _check_plain(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def try_to_write(path: Path) -> None:
    """Check that `write_durably` can write a file, by a nameless one in its folder or the first one above that exists.

    Raises:
        OSError: It cannot; names the path. Nothing was changed.
    """
    _check_plain(path)
    folder = next(each for each in path.absolute().parents if each.exists())
    with tempfile.TemporaryFile(dir=folder):
        pass


def _check_plain(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a plain file", str(path))
