"""Debian's packages: unpacked once, only at the pinned checksum."""

import hashlib
import os
from pathlib import Path

import pytest

from tools.errors import WayFailedError
from tools.pinned_debian import unpacked

_CONTENT = b"a package\n"
_PINNED = hashlib.sha256(_CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins: apt-get writes a file for each package, dpkg-deb copies it below `usr/bin`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    apt = '#!/bin/sh\nshift\nfor name; do echo "a package" >"$name.deb"; done\n'
    dpkg = '#!/bin/sh\nmkdir -p "$3/usr/bin"\ncp "$2" "$3/usr/bin/"\n'
    for name, text in (("apt-get", apt), ("dpkg-deb", dpkg)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_packages_are_unpacked_once(tmp_path: Path, programs: Path) -> None:
    """The second call finds the folder, and needs no apt-get."""
    folder = unpacked("demo-1", {"demo=1": _PINNED}, tmp_path / "cache")
    assert [item.name for item in (folder / "usr/bin").iterdir()] == ["demo=1.deb"]
    (programs / "apt-get").unlink()
    assert unpacked("demo-1", {"demo=1": _PINNED}, tmp_path / "cache") == folder
    assert [item.name for item in (tmp_path / "cache").iterdir()] == ["demo-1"]


def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    """Nothing is left of it."""
    with pytest.raises(WayFailedError, match=rf"^demo=1.deb is not the pinned file: its SHA-256 is {_PINNED}$"):
        unpacked("demo-1", {"demo=1": "0" * 64}, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_machine_without_apt_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names what could not be fetched."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WayFailedError, match=r"^there is no apt-get here to fetch demo=1$"):
        unpacked("demo-1", {"demo=1": _PINNED}, tmp_path / "cache")


def test_what_apt_says_is_passed_on(tmp_path: Path, programs: Path) -> None:
    """For example that it has no such version."""
    (programs / "apt-get").write_text("#!/bin/sh\necho 'E: Version 1 was not found' >&2\nexit 100\n")
    with pytest.raises(WayFailedError, match=r"does not serve the pinned packages: E: Version 1 was not found$"):
        unpacked("demo-1", {"demo=1": _PINNED}, tmp_path / "cache")
