"""Says which volume is full, instead of the bare error of the operating system."""

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backup.errors import BackupError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def room(volume: str, cure: str) -> Iterator[None]:
    """Do something that writes to a volume.

    Args:
        volume: What the volume is called.
        cure: What to do when it is full.

    Raises:
        BackupError: It is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise BackupError(f"the volume {volume} is full ({error.strerror}); {cure}") from None


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """A folder for what a dump or a restore needs meanwhile, below TMPDIR.

    Raises:
        BackupError: Its volume is full.
    """
    cure = "give the job a larger scratch volume. Backups and live data are untouched"
    with room("for scratch files", cure), tempfile.TemporaryDirectory(prefix=f"{purpose}-") as found:
        yield Path(found)
