"""The Linux calls that Python 3.11 has no names for: namespaces, mounts, and giving up privileges."""

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x20000000,
    0x40000000,
)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_LAST_CAPABILITY = 40
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Give this process namespaces of its own (`unshare(2)`)."""
    _checked(_LIBC.unshare(flags), "unshare")


def enter(pid: int, kind: str) -> None:
    """Go into a namespace (`mnt`, `net`) of another process."""
    descriptor = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
    try:
        _checked(_LIBC.setns(descriptor, 0), f"setns {kind}")
    finally:
        os.close(descriptor)


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system (`mount(2)`)."""
    encoded = [text.encode() for text in (source, str(target), kind)]
    _checked(_LIBC.mount(*encoded, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def bring_loopback_up() -> None:
    """Give a new network namespace its 127.0.0.1; it has no other interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP))


def become(user: int, group: int) -> None:
    """Be an ordinary user for good: no capability, no group but one, no way to gain a privilege."""
    for capability in range(_LAST_CAPABILITY + 1):
        # Kernels differ in how many capabilities they know.
        _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    _checked(_LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl no_new_privs")
