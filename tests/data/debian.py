"""HAProxy from Debian's packages, unpacked without root. Used by tests only, where PATH has none."""

import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.cache import default_root

PACKAGES = {
    "haproxy=2.6.12-1+deb12u3": "c8fa07420a78bfc47544b2a46e97151a8a12c3b4db62de610b2e37e78506f465",
    "liblua5.3-0=5.3.6-2": "576ad8ef2e9f6ad21f29f0c90dac17448deefee8f3912877c2a0911b77e5d3ca",
    "libopentracing-c-wrapper0=1.1.3-3+b1": "68013bf6296a776923622c871bed26bc7b6bfe5f84b0fa2707a06382d1db2692",
    "libopentracing1=1.6.0-4": "af62b62a99979253a79e3443f7dabe13f1f33bc2fc024f99039e3868a67f26f4",
}
"""Package and version, and the SHA-256 of its file for amd64, from Debian 12's signed index."""


@functools.cache
def haproxy() -> tuple[str, dict[str, str]]:
    """The program and the variables that it needs to find its libraries.

    Where neither PATH nor apt-get has it, the test is skipped and says so.
    """
    if found := shutil.which("haproxy"):
        return found, {}
    folder = default_root().parent / "test-programs" / "haproxy-2.6.12"
    if not folder.exists():
        _unpack(folder)
    return str(folder / "usr/sbin/haproxy"), {"LD_LIBRARY_PATH": str(folder / "usr/lib/x86_64-linux-gnu")}


def _unpack(folder: Path) -> None:
    for program in ("apt-get", "dpkg-deb"):
        if not shutil.which(program):
            pytest.skip(f"not proven here: HAProxy is not on PATH, and there is no {program} to fetch it")
    work = folder.with_name(f"{folder.name}.{os.getpid()}")
    # A run that was ended may have had the same number.
    shutil.rmtree(work, ignore_errors=True)
    downloads = work / "downloads"
    downloads.mkdir(parents=True)
    done = subprocess.run(
        ["apt-get", "download", *PACKAGES], cwd=downloads, capture_output=True, text=True, check=False
    )
    if done.returncode:
        shutil.rmtree(work)
        pytest.skip(f"not proven here: apt-get does not serve HAProxy: {done.stderr.strip()[-200:]}")
    for file in sorted(downloads.iterdir()):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert digest in PACKAGES.values(), f"{file.name} is not the pinned file, its SHA-256 is {digest}"
        subprocess.run(["dpkg-deb", "--extract", str(file), str(work / "content")], check=True)
    try:
        (work / "content").rename(folder)
    except OSError:
        # Another test run was faster.
        assert folder.exists()
    shutil.rmtree(work)
