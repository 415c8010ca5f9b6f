"""Removal of folders that change at the same time."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.files import remove_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file in a folder."""
    made = tmp_path / "cluster"
    (made / "node").mkdir(parents=True)
    (made / "node" / "log").touch()
    return made


def _failing(monkeypatch: pytest.MonkeyPatch, failure: int, times: int) -> list[Path]:
    """Let the removal fail so often, and return the folders of all tries."""
    tried: list[Path] = []
    remove: Callable[[Path], None] = shutil.rmtree

    def fails(path: Path) -> None:
        tried.append(path)
        if len(tried) <= times:
            raise OSError(failure, "")
        remove(path)

    monkeypatch.setattr("cluster.files.shutil.rmtree", fails)
    return tried


@pytest.mark.parametrize("failure", [errno.ENOENT, errno.ENOTEMPTY])
def test_a_folder_that_changes_meanwhile_is_removed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failure: int
) -> None:
    """A process that just ended removes its own files, or writes a last one."""
    _failing(monkeypatch, failure, 4)
    remove_folder(folder)
    assert not folder.exists()


@pytest.mark.parametrize(("failure", "tries"), [(errno.EACCES, 1), (errno.ENOTEMPTY, 5)])
def test_what_cannot_be_removed_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failure: int, tries: int
) -> None:
    """At once, or after five tries."""
    tried = _failing(monkeypatch, failure, 99)
    with pytest.raises(OSError, match=f"Errno {failure}"):
        remove_folder(folder)
    assert tried == [folder] * tries
    assert (folder / "node" / "log").exists()


def test_a_folder_that_is_gone_is_no_error(tmp_path: Path) -> None:
    """Another command has removed it."""
    remove_folder(tmp_path / "cluster")
