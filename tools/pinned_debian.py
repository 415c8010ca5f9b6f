"""Programs from Debian's packages: fetched by apt-get, compared with a pinned SHA-256, unpacked without installing."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tools.cache import default_root
from tools.errors import WayFailedError

_NEEDED = ("apt-get", "dpkg-deb")
_SHOWN_CHARACTERS = 200


def debian_root() -> Path:
    """Return the user's cache folder for unpacked packages, beside that of the pinned programs."""
    return default_root().parent / "debian"


def unpacked(name: str, packages: Mapping[str, str], root: Path | None = None) -> Path:
    """Return a folder that holds the files of some packages, as they would lie below `/`; made once.

    Args:
        name: name of the folder; another list of packages must have another name.
        packages: SHA-256 of each package's file, by `PACKAGE=VERSION` as apt-get takes it.
        root: where the folder lies; by default `debian_root()`.

    Raises:
        WayFailedError: this machine has no apt-get, it does not serve a package at that version, or a file differs
            from the pinned one.
    """
    folder = (root or debian_root()) / name
    if not folder.exists():
        _unpack(folder, packages)
    return folder


def library_path(folder: Path) -> Path:
    """Return where the shared libraries of an unpacked folder lie."""
    return folder / "usr/lib/x86_64-linux-gnu"


def _unpack(folder: Path, packages: Mapping[str, str]) -> None:
    for needed in _NEEDED:
        if not shutil.which(needed):
            raise WayFailedError(f"there is no {needed} here to fetch {', '.join(packages)}")
    work = folder.with_name(f"{folder.name}.{os.getpid()}")
    # A run that was ended may have had the same number.
    shutil.rmtree(work, ignore_errors=True)
    try:
        _fill(work, packages)
        (work / "content").rename(folder)
    except OSError:
        # Another run was faster.
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _fill(work: Path, packages: Mapping[str, str]) -> None:
    downloads = work / "downloads"
    downloads.mkdir(parents=True)
    done = subprocess.run(
        ["apt-get", "download", *packages], cwd=downloads, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise WayFailedError(f"apt-get does not serve the pinned packages: {done.stderr.strip()[-_SHOWN_CHARACTERS:]}")
    for file in sorted(downloads.iterdir()):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if digest not in packages.values():
            raise WayFailedError(f"{file.name} is not the pinned file: its SHA-256 is {digest}")
        subprocess.run(["dpkg-deb", "--extract", str(file), str(work / "content")], check=True)
