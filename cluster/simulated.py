"""A simulator as one kind of cluster among others."""

from __future__ import annotations

from pathlib import Path

from cluster.interface import ClusterStatus
from cluster.simulator import Simulator


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
