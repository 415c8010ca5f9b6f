"""Settings of several PostgreSQL servers that a single one does not have: commits that wait, times of a failover."""

from collections.abc import Mapping
from fractions import Fraction

from components.kubernetes.quantities import mebibytes

SYNCHRONOUS: Mapping[str, str | int | bool] = {
    "method": "any",
    "number": 1,
    "dataDurability": "required",
    "failoverQuorum": True,
}
"""A commit is answered when a second server has it."""

_LOG_FOR_A_STANDBY = Fraction(3, 10)
"""Share of the volume that the write-ahead log may take for a standby that does not fetch it.

Without a bound the log of an absent standby fills the primary's volume, and all writes stop (CloudNativePG recommends
to set one, in its manual under "Capping the WAL size retained for replication slots"). Beyond it the standby has
to be made again. With as much again for the data, the alert about the volume, at 80 %, is not reached by it alone.
"""


def parameters(storage_size: str) -> dict[str, str]:
    """Parameters of several servers; each is taken without a restart.

    Args:
        storage_size: Volume of each server, as Kubernetes writes it.
    """
    return {
        # A standby that has lost the primary looks for the new one each second instead of each five.
        "wal_retrieve_retry_interval": "1s",
        "max_slot_wal_keep_size": f"{int(mebibytes(storage_size) * _LOG_FOR_A_STANDBY)}MB",
    }


PRIMARY_LEASE: Mapping[str, int] = {"leaseDurationSeconds": 5, "renewDeadlineSeconds": 4, "retryPeriodSeconds": 1}
"""Times of the operator's lease of the primary, which a standby waits out before it may be promoted.

With the operator's own 15, 10 and 2 seconds a failover took 27 seconds on three nodes, with these 14; a lost node 52
and 35 (CloudNativePG 1.30.0, one run each, docs/adr/0010). The price: an API server that does not answer the primary
for five seconds lets a standby be promoted while the primary may still run; it cannot commit without a second server.
"""
