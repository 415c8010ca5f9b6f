"""Composition of the backups: every store that the stack runs itself, and their results as metrics."""

from collections.abc import Iterable

import pulumi

from components.backups.component import StoreBackup, StoreBackupArgs
from components.backups.metrics import BackupMetrics, BackupMetricsArgs
from components.stack.configuration import StackConfiguration
from components.traffic.jobs import BackupSource, dump_name
from components.traffic.observers import BACKUP_METRICS
from components.workloads.component import Surroundings


def build_backups(
    stack: StackConfiguration,
    surroundings: Surroundings,
    sources: Iterable[BackupSource],
    opts: pulumi.ResourceOptions | None = None,
) -> None:
    """Register the backups; nothing where the settings of the stack say `backup: null`.

    Args:
        stack: The stack's settings and secrets.
        surroundings: The stack around the backups.
        sources: Facts about each store.
        opts: Options of every component.
    """
    for source in sources:
        StoreBackup.optional(dump_name(source.name), StoreBackupArgs.of(stack, surroundings, source), opts)
    BackupMetrics.optional(BACKUP_METRICS, BackupMetricsArgs.of(stack, surroundings), opts)
