"""Files and folders of a cluster: written for their owner alone, and removed as a whole."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

_TRIES = 5
_CHANGED = frozenset({errno.ENOENT, errno.ENOTEMPTY})


def private_directory(path: Path) -> Path:
    """Create a directory, with its parents, that only the owner may enter; tighten it if it is there."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, content: str | bytes) -> bool:
    """Write a file with mode 0600, at once or not at all.

    Returns:
        Whether the content is different from what was there.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == data:
        path.chmod(0o600)
        return False
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    temporary.replace(path)
    return True


def remove_folder(path: Path) -> None:
    """Remove a folder with all that is in it, also while something else still makes or removes files in it.

    Raises:
        OSError: something in it cannot be removed, or new files appear in it again and again.
    """
    for left in reversed(range(_TRIES)):
        try:
            shutil.rmtree(path)
        except OSError as error:
            if not path.exists():
                return
            if error.errno not in _CHANGED or not left:
                raise
        else:
            return
