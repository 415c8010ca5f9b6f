"""From a chosen target to a cluster that can be worked on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cluster.control_plane import PROGRAMS
from cluster.errors import ClusterError
from cluster.existing import KUBECTL, ExistingCluster
from cluster.interface import Cluster, ClusterStatus
from cluster.k3d import K3dCluster
from cluster.node import node_cluster
from cluster.node.node_cluster import NodeCluster, requested_nodes
from cluster.simulator import Simulator
from cluster.target import K3D, KUBECONFIG, NODE, SIM, Target


class SimulatedCluster:
    """A simulator, seen as a cluster; owns what the simulator owns."""

    def __init__(self, simulator: Simulator) -> None:
        """Wrap a simulator, without starting it."""
        self._simulator = simulator

    def up(self) -> Path:
        """Start what is not running and return the kubeconfig."""
        return self._simulator.start()

    def down(self) -> None:
        """Stop the processes and keep the data."""
        self._simulator.stop()

    def delete(self) -> None:
        """Stop the processes and remove the data."""
        self._simulator.delete()

    def status(self) -> ClusterStatus:
        """Return a table of the processes."""
        status = self._simulator.status()
        return ClusterStatus(status.ready, status.describe())


def required_programs(target: Target) -> tuple[str, ...]:
    """Return the names of the programs that a target needs; they must be in `programs` when it is opened."""
    needed = {SIM: PROGRAMS, NODE: node_cluster.PROGRAMS, K3D: (K3D, KUBECTL), KUBECONFIG: (KUBECTL,)}
    return needed.get(target.name, ())


def open_target(
    target: Target, directory: Path, programs: Mapping[str, Path], report: Callable[[str], None]
) -> Cluster:
    """Return the cluster of a target, without starting it.

    Args:
        target: as chosen by `choose_target`.
        directory: the project's own directory for such things (`.altlas`); each target has its own part of it.
        programs: paths of the `required_programs`.
        report: told, in sentences, what goes on.

    Raises:
        ClusterError: if a program is missing or the target cannot be opened.
    """
    missing = [name for name in required_programs(target) if name not in programs]
    if missing:
        raise ClusterError(f"Target {target.name} needs {', '.join(missing)}. Install the project's tools first.")
    if target.name == SIM:
        return SimulatedCluster(Simulator(directory / SIM, programs, report=report))
    if target.name == NODE:
        return NodeCluster(directory / NODE, programs, report, requested_nodes())
    if target.name == K3D:
        return K3dCluster(directory / K3D, programs[K3D], programs[KUBECTL], report)
    if target.name == KUBECONFIG and target.kubeconfig is not None:
        return ExistingCluster(target.kubeconfig, programs[KUBECTL], report)
    raise ClusterError(f"Target {target.name} cannot be opened. Choose one with choose_target.")
