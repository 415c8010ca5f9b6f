"""Composition of the backups: every store that the stack runs itself, and their results as metrics."""

from collections.abc import Iterable

from components.backups.component import StoreBackup, StoreBackupArgs
from components.backups.metrics import BackupMetrics, BackupMetricsArgs
from components.stack.configuration import StackConfiguration
from components.traffic.jobs import BackupSource, dump_name
from components.traffic.observers import BACKUP_METRICS
from components.workloads.component import Surroundings


def build_backups(stack: StackConfiguration, sources: Iterable[BackupSource], surroundings: Surroundings) -> None:
    """Register the backups; nothing where the settings of the stack say `backup: null`.

    Args:
        stack: The stack's settings and secrets.
        sources: What each store tells about itself.
        surroundings: The stack around the backups.
    """
    settings = stack.platform.backup
    if settings is None:
        return
    for source in sources:
        StoreBackup(dump_name(source.name), StoreBackupArgs.of(stack, settings, source, surroundings))
    if BACKUP_METRICS in surroundings.graph.observers:
        BackupMetrics(BACKUP_METRICS, BackupMetricsArgs(surroundings=surroundings, settings=settings))
