"""One node as a process of this machine: its start, what runs in it, its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cluster.errors import ClusterError
from cluster.node import inside
from cluster.node.cgroups import entrances, renew_groups
from cluster.node.commands import succeeds
from cluster.node.machine_settings import NodeFiles
from cluster.node.objects import volume_folders
from cluster.processes import ProcessSpecification, last_lines
from cluster.state import ProcessRecord
from cluster.waiting import wait_for

_START_SECONDS = 20
_POLL_SECONDS = 0.02
POLICY_CHAIN = "KUBE-ROUTER-FORWARD"
"""The chain through which kube-router sends every packet; without it nothing is refused."""


class Machine:
    """A node; owns its folder, its control groups, its processes, and its interface on the bridge."""

    def __init__(self, files: NodeFiles) -> None:
        """Prepare, without touching anything."""
        self._files = files
        self.name = files.name

    def specification(self, python: Path) -> ProcessSpecification:
        """Write the node's files; return how to start it.

        Args:
            python: the interpreter of the node's first process.
        """
        inputs = self._files.write(entrances(self._files.group))
        for folder in volume_folders(self._files.folder):
            folder.mkdir(parents=True, exist_ok=True)
        script = str(Path(inside.__file__).resolve())
        command = (str(python), "-I", "-S", script, "enter", str(self._files.settings))
        return ProcessSpecification(self.name, command, self._files.folder / "node.log", inputs)

    def make_groups(self) -> None:
        """Make the node's control groups, empty; the node must have ended.

        Raises:
            ClusterError: they cannot be made, or hold processes.
        """
        renew_groups(self._files.group)

    def connect(self, record: ProcessRecord) -> None:
        """Plug a started node into the bridge.

        Raises:
            ClusterError: its namespaces do not appear, or the kernel refuses the interface.
        """
        pid = first_process(record)
        if pid is None:
            raise ClusterError(
                f"{self.name} does not start. The last lines of {self._files.folder / 'node.log'}:\n"
                f"{last_lines(self._files.folder / 'node.log')}"
            )
        self._files.network.disconnect(self.name)
        self._files.network.connect(self.name, pid)

    def command(self, record: ProcessRecord, *command: str) -> Sequence[str]:
        """Return a command that runs in the node's namespaces.

        Raises:
            ClusterError: the node does not run.
        """
        pid = first_process(record, seconds=0)
        if pid is None:
            raise ClusterError(f"{self.name} does not run. Start the cluster again.")
        return ("nsenter", f"--target={pid}", "--mount", "--net", "--pid", "--uts", "--ipc", "--", *command)

    def judges(self, record: ProcessRecord) -> bool:
        """Tell whether network policies are enforced on the node."""
        environment = self._files.packages.environment(self._files.folder, self._files.programs)
        return succeeds(self.command(record, "iptables", "--list-rules", POLICY_CHAIN), environment)


def first_process(record: ProcessRecord, seconds: float = _START_SECONDS) -> int | None:
    """Return the number of a node's process 1 as this machine counts, or None if there is none in time.

    Args:
        record: of the process that holds the namespaces.
        seconds: how long to wait for it.
    """

    def child() -> int | None:
        try:
            children = Path(f"/proc/{record.pid}/task/{record.pid}/children").read_text().split()
            own = Path(f"/proc/{children[0]}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
        except (OSError, IndexError):
            return None
        return int(children[0]) if own else None

    return wait_for(child, lambda pid: pid is not None, seconds=seconds, poll_seconds=_POLL_SECONDS)
