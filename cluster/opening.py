"""From a chosen target to a cluster that can be worked on.

A kind of cluster is loaded when it is asked for: most commands open none, and the certificates and images of the others
take longer to load than a comparison of two stacks has.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cluster.errors import ClusterError, MissingProgramError
from cluster.existing import KUBECTL, ExistingCluster
from cluster.interface import Cluster
from cluster.target import K3D, KUBECONFIG, NODE, SIM, Target


def required_programs(target: Target) -> tuple[str, ...]:
    """Return the names of the programs that a target needs; they must be in `programs` when it is opened."""
    if target.name == SIM:
        from cluster import control_plane

        return control_plane.PROGRAMS
    if target.name == NODE:
        from cluster.node import node_cluster

        return node_cluster.PROGRAMS
    return {K3D: (K3D, KUBECTL), KUBECONFIG: (KUBECTL,)}.get(target.name, ())


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
        raise MissingProgramError(
            f"Target {target.name} needs {', '.join(missing)}. Install the project's tools first."
        )
    if target.name == SIM:
        from cluster.simulated import SimulatedCluster
        from cluster.simulator import Simulator

        return SimulatedCluster(Simulator(directory / SIM, programs, report=report))
    if target.name == NODE:
        from cluster.node.node_cluster import NodeCluster, requested_nodes

        return NodeCluster(directory / NODE, programs, report, requested_nodes())
    if target.name == K3D:
        from cluster.k3d import K3dCluster

        return K3dCluster(directory / K3D, programs[K3D], programs[KUBECTL], report)
    if target.name == KUBECONFIG and target.kubeconfig is not None:
        return ExistingCluster(target.kubeconfig, programs[KUBECTL], report)
    raise ClusterError(f"Target {target.name} cannot be opened. Choose one with choose_target.")
