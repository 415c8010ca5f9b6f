"""Processes of this machine that belong to a cluster of real nodes."""

import os
from pathlib import Path

DAEMONS = ("containerd", "kubelet", "kube-proxy", "kube-router")


def processes(words: str) -> list[int]:
    """Numbers of processes whose command line holds some words, without this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if words in command:
                found.append(int(entry.name))
    return found


def daemon(folder: Path, node: str, name: str) -> int | None:
    """Process of a node's daemon, as this machine counts; None while it does not run.

    Args:
        folder: Folder of the cluster.
        node: Name of the node.
        name: One of `DAEMONS`.
    """
    return min((pid for pid in processes(f"{folder}/nodes/{node}/") if _program(pid) == name), default=None)


def _program(process: int) -> str:
    try:
        return Path(f"/proc/{process}/exe").readlink().name
    except OSError:  # it has just ended
        return ""
