"""The control groups of a cluster of real nodes: one group in each hierarchy of this machine, below it one per node.

Owns their making and removal. kubelet makes the groups of pods below them.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError
from cluster.waiting import wait_for

DAEMONS = "daemons"
_GONE_SECONDS = 15
_POLL_SECONDS = 0.1
_V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids")
_TYPE, _OPTIONS = 0, 2


@dataclass(frozen=True)
class Hierarchy:
    """A mounted tree of control groups.

    Attributes:
        folder: where it is mounted.
        unified: whether it is cgroup v2.
        cpusets: whether it is the v1 hierarchy in which a new group has no processors.
    """

    folder: Path
    unified: bool
    cpusets: bool

    def make(self, group: str) -> None:
        """Make a group, and what lies above it, so that processes can enter it."""
        folder = self.folder
        for part in Path(group).parts:
            if self.unified:
                self._delegate(folder)
            upper, folder = folder, folder / part
            folder.mkdir(exist_ok=True)
            if self.cpusets:
                for name in ("cpuset.cpus", "cpuset.mems"):
                    (folder / name).write_text((upper / name).read_text())

    @staticmethod
    def _delegate(folder: Path) -> None:
        there = (folder / "cgroup.controllers").read_text().split()
        wanted = " ".join(f"+{name}" for name in _V2_CONTROLLERS if name in there)
        if wanted:
            (folder / "cgroup.subtree_control").write_text(wanted)


def hierarchies(mounts: str | None = None) -> tuple[Hierarchy, ...]:
    """Return the mounted hierarchies of cgroup v1 and v2.

    Args:
        mounts: in the form of /proc/self/mountinfo, which is read by default.
    """
    found = []
    for line in (mounts or Path("/proc/self/mountinfo").read_text()).splitlines():
        left, _, right = line.partition(" - ")
        fields = right.split()
        if fields[_TYPE] in {"cgroup", "cgroup2"}:
            options = fields[_OPTIONS].split(",") if len(fields) > _OPTIONS else []
            cpusets = fields[_TYPE] == "cgroup" and "cpuset" in options
            found.append(Hierarchy(Path(left.split()[4]), fields[_TYPE] == "cgroup2", cpusets))
    return tuple(found)


def entrances(group: str) -> tuple[Path, ...]:
    """Return the files through which a node's daemons enter its group, one of each hierarchy; they need not exist."""
    return tuple(hierarchy.folder / group / DAEMONS / "cgroup.procs" for hierarchy in hierarchies())


def renew_groups(group: str) -> None:
    """Make a node's group in every hierarchy, empty, with a group for its daemons.

    Groups of pods that an ended node left behind go first, as after a restart of a machine: the next kubelet asks the
    container runtime for the container of each, three seconds long, before it says that its node is ready.

    Raises:
        ClusterError: processes are still in the group, or the kernel refuses, for example because the hierarchy is
            mounted read-only.
    """
    remove_groups(group)
    for hierarchy in hierarchies():
        try:
            hierarchy.make(f"{group}/{DAEMONS}")
        except OSError as error:
            raise ClusterError(
                f"The control group {hierarchy.folder / group} cannot be made: {error.strerror}. Containers need "
                "hierarchies that root may change; in a container of its own, this machine must be privileged."
            ) from error


def remove_groups(group: str) -> None:
    """Remove a group and all below it from every hierarchy, once its processes are gone.

    Raises:
        ClusterError: processes are still in it.
    """
    folders = [hierarchy.folder / group for hierarchy in hierarchies()]

    def remaining() -> list[Path]:
        for folder in folders:
            _remove(folder)
        return [folder for folder in folders if folder.exists()]

    left = wait_for(remaining, lambda paths: not paths, seconds=_GONE_SECONDS, poll_seconds=_POLL_SECONDS)
    if left:
        raise ClusterError(
            f"Processes are left in {', '.join(map(str, left))}. End them (their numbers are in cgroup.procs of that "
            "folder and of those below), then stop the cluster again."
        )


def _remove(folder: Path) -> None:
    if folder.is_dir():
        for below in folder.iterdir():
            if below.is_dir():
                _remove(below)
        # Killed processes leave their groups a moment later.
        with contextlib.suppress(OSError):
            folder.rmdir()
