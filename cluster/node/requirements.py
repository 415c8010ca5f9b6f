"""Requirements of real nodes, checked before anything is made: root, programs, kernel, place on the disk.

The kernel is not asked for its version or configuration: what nodes need is tried in namespaces of its own, which end
with the try.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cluster.errors import ClusterError
from cluster.node.cgroups import hierarchies
from cluster.node.inside import NAMESPACES

LEAST_FREE_GIB = 3
"""Images and volumes of a small stack; a node on a full disk cannot pull, and etcd stops."""

_BYTES_PER_GIB = 1 << 30
_COMMANDS = ("ip", "unshare", "nsenter", "mount", "hostname")
_HIDDEN = (Path("/var"), Path("/run"), Path("/proc"), Path("/sys"))
_SECONDS = 60

_TRIES = {
    "overlay file systems": "mkdir a b c d && mount -t overlay overlay -o lowerdir=a,upperdir=b,workdir=c d",
    "bridges": "ip link add bridge0 type bridge",
    "cables between network namespaces (veth)": "ip link add one0 type veth peer name two0",
    "packet filters on bridges (br_netfilter)": "echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables",
    "packet filters with address translation": (
        "iptables -t nat -A POSTROUTING -m comment --comment c -m mark ! --mark 0x4000/0x4000 -j RETURN && "
        "iptables -t nat -A POSTROUTING -j MASQUERADE && "
        "iptables -t nat -A PREROUTING -m statistic --mode random --probability 0.5 -m addrtype --dst-type LOCAL "
        "-p tcp -j DNAT --to-destination 10.0.0.1:80"
    ),
    "packet filters that follow connections": (
        "iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT && "
        "iptables -A FORWARD -j REJECT --reject-with icmp-port-unreachable"
    ),
    "sets of addresses (ipset)": (
        "ipset create s hash:ip timeout 0 && ipset create n hash:net timeout 0 && "
        "iptables -A FORWARD -m set --match-set s src -j ACCEPT"
    ),
    "own values of kernel settings": "echo 1 > f && mount --bind f /proc/sys/kernel/panic",
}
"""What nodes need of the kernel, and a shell command that fails without it."""


def check(directory: Path, environment: Mapping[str, str]) -> None:
    """Make sure that this machine can run nodes; changes nothing.

    Args:
        directory: where the cluster will be.
        environment: variables of a node's daemons, for the programs that try the packet filter.

    Raises:
        ClusterError: it cannot; every reason is named, and what to do.
    """
    lacks = lacking(directory) or untried(directory, environment)
    if lacks:
        raise ClusterError(
            f"This machine cannot run real nodes: {'; '.join(lacks)}. "
            "Cure that, or use the simulated cluster: TARGET=sim."
        )


def lacking(directory: Path) -> list[str]:
    """Return what can be seen to be missing without trying anything."""
    if platform.system() != "Linux" or platform.machine() not in {"x86_64", "amd64"}:
        return [f"it is {platform.system()} on {platform.machine()}, and only Linux on x86_64 is known to work"]
    if os.geteuid() != 0:
        return ["only root can make namespaces, bridges and control groups (run it with sudo)"]
    lacks = [f"there is no program `{name}`" for name in _COMMANDS if shutil.which(name) is None]
    if not hierarchies():
        lacks.append("no control groups are mounted at /sys/fs/cgroup")
    places = {"the cluster's folder": directory, "Python": Path(sys.executable)}
    for title, place in places.items():
        if any(place.resolve().is_relative_to(hidden) for hidden in _HIDDEN):
            lacks.append(f"{title} is {place}, and nodes have folders of their own at {', '.join(map(str, _HIDDEN))}")
    free = shutil.disk_usage(_existing(directory)).free / _BYTES_PER_GIB
    if free < LEAST_FREE_GIB:
        lacks.append(f"the disk of {directory} has {free:.1f} GiB free, and nodes need {LEAST_FREE_GIB}")
    return lacks


def untried(directory: Path, environment: Mapping[str, str], tries: Mapping[str, str] = _TRIES) -> list[str]:
    """Return what the kernel refuses, each with its own words."""
    found = []
    with tempfile.TemporaryDirectory(prefix=".try-", dir=_existing(directory)) as folder:
        script = Path(folder) / "tries.py"
        script.write_text(_SCRIPT)
        done = subprocess.run(
            ["unshare", *NAMESPACES, sys.executable, "-I", "-S", str(script), json.dumps(tries)],
            cwd=folder,
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        if done.returncode:
            return [f"it has no namespaces for us: {done.stderr.strip()}"]
        for title, words in json.loads(done.stdout).items():
            found.append(f"its kernel has no {title} ({words})")
    return found


_SCRIPT = """
import json, pathlib, subprocess, sys, tempfile
refused = {}
for title, command in json.loads(sys.argv[1]).items():
    folder = tempfile.mkdtemp(dir=".")
    done = subprocess.run(["sh", "-ec", command], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        refused[title] = " ".join(done.stderr.split()) or f"status {done.returncode}"
print(json.dumps(refused))
"""


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
