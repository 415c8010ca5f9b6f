"""Targets of the platform: the choice of a cluster, its start and its end.

Owns clusters that this project starts itself; a cluster named by a kubeconfig is only looked at.
"""

from __future__ import annotations

from cluster.errors import ClusterError, ClusterRequestError, MissingProgramError
from cluster.interface import Cluster, ClusterStatus
from cluster.opening import open_target, required_programs
from cluster.target import TARGETS, Target, choose_target

__all__ = [
    "TARGETS",
    "Cluster",
    "ClusterError",
    "ClusterRequestError",
    "ClusterStatus",
    "MissingProgramError",
    "Target",
    "choose_target",
    "open_target",
    "required_programs",
]
