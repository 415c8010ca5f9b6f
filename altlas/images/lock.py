"""File of the image lock: atomic writes, and its errors as ends of a command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from altlas.images.errors import ImageRefusedError
from components.stack.image_build import BuildInputError
from components.stack.image_lock import ImageLock, ImageLockError, as_document, checksum_of

_HEADER = "# Written by `altlas images lock`. The checksum covers all that follows: changes by hand are refused.\n"


@contextmanager
def refused() -> Iterator[None]:
    """Turn errors of the lock or a build into the end of a command."""
    try:
        yield
    except (ImageLockError, BuildInputError) as error:
        raise ImageRefusedError(str(error)) from None


def write_lock(file: Path, lock: ImageLock) -> None:
    """Replace the lock file atomically."""
    document = as_document(lock)
    text = _HEADER + yaml.safe_dump({"checksum": checksum_of(document), **document}, sort_keys=False, width=120)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
