"""Settings of several PostgreSQL servers that a single one does not have: commits that wait, times of a failover."""

from collections.abc import Mapping

SYNCHRONOUS: Mapping[str, str | int | bool] = {
    "method": "any",
    "number": 1,
    "dataDurability": "required",
    "failoverQuorum": True,
}
"""A commit is answered when a second server has it."""

PARAMETERS: Mapping[str, str] = {"wal_retrieve_retry_interval": "1s"}
"""A standby that has lost the primary looks for the new one each second instead of each five."""

PRIMARY_LEASE: Mapping[str, int] = {"leaseDurationSeconds": 5, "renewDeadlineSeconds": 4, "retryPeriodSeconds": 1}
"""Times of the operator's lease of the primary, which a standby waits out before it may be promoted.

With the operator's own 15, 10 and 2 seconds a failover took 27 seconds on three nodes, with these 14; a lost node 52
and 35 (CloudNativePG 1.30.0, one run each, docs/adr/0010). The price: an API server that does not answer the primary
for five seconds lets a standby be promoted while the primary may still run; it cannot commit without a second server.
"""
