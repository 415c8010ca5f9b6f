"""Programs from Debian's packages, unpacked without root. Used by tests only."""

import functools
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tools.cache import default_root
from tools.errors import WayFailedError
from tools.pinned_debian import library_path, unpacked

_HAPROXY = {
    "haproxy=2.6.12-1+deb12u3": "c8fa07420a78bfc47544b2a46e97151a8a12c3b4db62de610b2e37e78506f465",
    "liblua5.3-0=5.3.6-2": "576ad8ef2e9f6ad21f29f0c90dac17448deefee8f3912877c2a0911b77e5d3ca",
    "libopentracing-c-wrapper0=1.1.3-3+b1": "68013bf6296a776923622c871bed26bc7b6bfe5f84b0fa2707a06382d1db2692",
    "libopentracing1=1.6.0-4": "af62b62a99979253a79e3443f7dabe13f1f33bc2fc024f99039e3868a67f26f4",
}
_REDIS = {
    "redis-server=5:7.0.15-1~deb12u10": "784e17b51024ff878fd7d709a68346658fa9b21f6de740cb75e474f28790971c",
    "redis-tools=5:7.0.15-1~deb12u10": "f791cfcbf3054832bd6e786546acb0d4e046888f8e63bcf567c1c65fbfaf69e2",
    "libatomic1=12.2.0-14+deb12u1": "fbd4e154a6b444229ea002cc209df099209c0adc09102e5fd21239a3d2b55e2d",
    "libjemalloc2=5.3.0-1": "a4117c23c5c8acf6c9678a6cb086f000b79476369da7efe8a78a70826956ad3d",
    "liblua5.1-0=5.1.5-9": "5400fac99da7aba50ce4703bdee23c29fdf1acc619cd6c2c312589a4a7e69c71",
    "liblzf1=3.6-3": "9854b0866201b63e04f1e446f45f01ef4a6f72c61f2250b75f944f6046cc7e8c",
    "lua-bitop=1.0.2-7": "adea9e219e7ddd3c61507c287c3467159a3a721ce33e56cae7bf2db9565f4634",
    "lua-cjson=2.1.0+dfsg-2.2": "ccb427f4941cd3871fc77237d81b93cef326a49cb80ecb8d5f33ad69a8b274d4",
}
_BUSYBOX = {"busybox=1:1.35.0-4+deb12u1+b1": "4b355fad07d4fe1f5aa282e949281f8dcb7bcdebb023d7e40f4f8fe475e21e29"}
"""Package and version, and the SHA-256 of its file for amd64, from Debian 12's signed index."""


@functools.cache
def haproxy() -> tuple[str, dict[str, str]]:
    """The program and the variables that it needs to find its libraries.

    Where neither PATH nor apt-get has it, the test is skipped and says so.
    """
    if found := shutil.which("haproxy"):
        return found, {}
    folder = _unpacked("haproxy-2.6.12", _HAPROXY)
    return str(folder / "usr/sbin/haproxy"), _libraries(folder)


@functools.cache
def redis() -> Path:
    """Folder with redis-server and redis-cli 7.0, which find their libraries by themselves.

    Where apt-get does not have them, the test is skipped and says so.
    """
    folder = _unpacked("redis-7.0.15", _REDIS)
    variables = " ".join(f"{name}={value}" for name, value in _libraries(folder).items())

    def make(programs: Path) -> None:
        for name in ("redis-server", "redis-cli"):
            (programs / name).write_text(f'#!/bin/sh\n{variables} exec {folder}/usr/bin/{name} "$@"\n')
            (programs / name).chmod(0o755)

    return _made(folder / "programs", make)


@functools.cache
def redis_image() -> str:
    """PATH on which the scripts of a Redis pod find what an image of Alpine has: Redis, and the tools of busybox."""
    folder = _unpacked("busybox-1.35.0", _BUSYBOX)

    def make(applets: Path) -> None:
        subprocess.run([folder / "bin/busybox", "--install", "-s", applets], check=True)

    return os.pathsep.join(map(str, (redis(), _made(folder / "applets", make))))


def _made(folder: Path, make: Callable[[Path], None]) -> Path:
    if not folder.exists():
        work = folder.with_name(f"{folder.name}.{os.getpid()}")
        work.mkdir()
        make(work)
        # Another test run may have been faster.
        with suppress(OSError):
            work.rename(folder)
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _libraries(folder: Path) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": str(library_path(folder))}


def _unpacked(name: str, packages: Mapping[str, str]) -> Path:
    try:
        return unpacked(name, packages, default_root().parent / "test-programs")
    except WayFailedError as error:
        pytest.skip(f"not proven here: {name.partition('-')[0]} is needed, and {error}")
