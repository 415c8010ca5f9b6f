"""Interface of every kind of cluster, so that commands need not know which kind they work on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class ClusterStatus:
    """A cluster at one moment.

    Attributes:
        ready: whether something can be deployed to it now.
        summary: for people; may have several lines.
    """

    ready: bool
    summary: str


class Cluster(Protocol):
    """A cluster that can be worked on; all methods raise ClusterError with cause and cure."""

    def up(self) -> Path:
        """Make the cluster usable and return its kubeconfig; does nothing if it is usable already."""

    def down(self) -> None:
        """Stop what `up` started and keep its data."""

    def delete(self) -> None:
        """Stop what `up` started and remove its data."""

    def status(self) -> ClusterStatus:
        """Return what is the case, changing nothing."""
