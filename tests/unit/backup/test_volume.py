"""Which volume is full is said by name; every other error stays what it is."""

import errno
from pathlib import Path

import pytest

from backup.errors import BackupError
from backup.volume import scratch_folder


def fill(number: int, kept: list[Path]) -> None:
    """Do something in a scratch folder in the middle of which the system refuses."""
    with scratch_folder("dump") as folder:
        (folder / "half").write_bytes(b"half")
        kept.append(folder)
        raise OSError(number, "no room")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_scratch_volume_is_named_and_left_empty(number: int) -> None:
    """With the cure, and without a word about the backups' own volume."""
    kept: list[Path] = []
    with pytest.raises(BackupError, match=r"^the volume for scratch files is full \(no room\); give the job a larger"):
        fill(number, kept)
    assert not kept[0].exists()


def test_another_error_is_not_taken_for_a_full_volume() -> None:
    """It would send people the wrong way."""
    with pytest.raises(PermissionError):
        fill(errno.EACCES, [])
