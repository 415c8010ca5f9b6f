"""The first process of a node: run as a script, by itself, with the standard library alone.

`enter FILE` joins the node's control groups and turns into `unshare`, which starts `inside FILE` as process 1 of new
namespaces. That one makes the node's own /var and /run, its network, and keeps its daemons running. When it is killed,
the kernel ends every process of the node and removes its mounts, interfaces, packet filter rules and sets.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_PAUSE_SECONDS = 1
_POLL_SECONDS = 0.05
NAMESPACES = ("--pid", "--mount", "--net", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc")
"""Options of `unshare`: what each node has for itself."""

_WAIT_SECONDS = 30
_SOCKET = Path("/run/containerd/containerd.sock")


def enter(settings: dict[str, Any], file: str) -> None:
    """Join the control groups and become the parent of the new namespaces; the process number stays the same."""
    for group in settings["cgroups"]:
        Path(group).write_text(str(os.getpid()))
    own = (sys.executable, "-I", "-S", __file__, "inside", file)
    os.execve(settings["unshare"], ("unshare", *NAMESPACES, *own), settings["environment"])  # noqa: S606 - it is the purpose


def mount(settings: dict[str, Any]) -> None:
    """Give the node folders of its own where Kubernetes' programs write to fixed paths.

    kubelet also writes three settings of the kernel that no namespace has for itself, unless they are as it wants them:
    it is shown files that say so, and the machine keeps its values.
    """
    _do("mount", "--make-rprivate", "/")
    _do("mount", "--bind", f"{settings['folder']}/var", "/var")
    _do("mount", "--types", "tmpfs", "--options", "mode=755", "tmpfs", "/run")
    Path("/run/lock").mkdir()
    for number, (path, value) in enumerate(settings["shown"].items()):
        file = Path(settings["folder"], f"shown-{number}")
        file.write_text(f"{value}\n")
        _do("mount", "--bind", str(file), path)
    # Mounts that kubelet makes must appear in the pods that share them.
    _do("mount", "--make-rshared", "/")


def connect(settings: dict[str, Any]) -> None:
    """Set up the interface that is plugged in from outside, the routes to the other nodes' pods, and the kernel."""
    _do("hostname", settings["name"])
    _do("ip", "link", "set", "lo", "up")
    _wait(lambda: subprocess.run(["ip", "link", "show", "eth0"], capture_output=True, check=False).returncode == 0)
    _do("ip", "address", "add", settings["address"], "dev", "eth0")
    _do("ip", "link", "set", "eth0", "up")
    _do("ip", "route", "add", "default", "via", settings["gateway"])
    for target, via in settings["routes"].items():
        _do("ip", "route", "add", target, "via", via)
    for path, value in settings["kernel"].items():
        Path("/proc/sys", path).write_text(value)


def keep_running(settings: dict[str, Any]) -> None:
    """Start every daemon, and start again whichever ends; never returns.

    kube-router ends for good where its Node does not exist yet, and then no policy is enforced and nothing says so.
    """
    running: dict[int, str] = {}
    for name, command in settings["daemons"].items():
        running[_start(name, command, settings)] = name
        if name == "containerd":
            _wait(_SOCKET.exists)
    while True:
        # Also orphans of containers come to process 1, and must be waited for.
        ended = [os.waitpid(-1, 0)[0]]
        time.sleep(_PAUSE_SECONDS)
        while (pid := _ended()) is not None:
            ended.append(pid)
        for name in [running.pop(pid) for pid in ended if pid in running]:
            running[_start(name, settings["daemons"][name], settings)] = name


def _ended() -> int | None:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] or None
    except ChildProcessError:
        return None


def _start(name: str, command: list[str], settings: dict[str, Any]) -> int:
    log = os.open(f"{settings['folder']}/{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    actions = [(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2), (os.POSIX_SPAWN_CLOSE, log)]
    try:
        return os.posix_spawn(command[0], command, settings["environment"], file_actions=actions, setsid=True)
    finally:
        os.close(log)


def _do(*command: str) -> None:
    subprocess.run(command, check=True)


def _wait(condition: Any) -> None:
    end = time.monotonic() + _WAIT_SECONDS
    while not condition() and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)


def main(stage: str, file: str) -> None:
    """Run one stage with the settings of a JSON file."""
    settings = json.loads(Path(file).read_text())
    if stage == "enter":
        enter(settings, file)
    os.environ.update(settings["environment"])
    mount(settings)
    connect(settings)
    keep_running(settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
