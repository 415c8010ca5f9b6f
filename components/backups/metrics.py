"""Backup and restore-test results as metrics: a small exporter that asks the API server about the Jobs."""

from dataclasses import dataclass
from typing import Any, Self

import pulumi

from components.kubernetes.object import Manifest
from components.settings.backup import BackupSettings
from components.settings.workload import QuantitySettings, ResourceSettings
from components.stack.configuration import StackConfiguration
from components.traffic.jobs import BACKUP_COMPONENT
from components.traffic.observers import BACKUP_METRICS, BACKUP_METRICS_PORT, METRICS_PORT_NAME
from components.workloads.component import ObjectComponent, Surroundings
from components.workloads.exporter import ExporterArgs, exporter_pod
from components.workloads.pod_set import PodSet

_USER = 10001
_SECONDS_PER_HOUR = 3600
# The program takes 30Mi, and its answers some kilobytes for each Job that is kept.
_RESOURCES = ResourceSettings(
    requests=QuantitySettings(cpu="10m", memory="48Mi"), limits=QuantitySettings(cpu="200m", memory="128Mi")
)


@dataclass(frozen=True, kw_only=True)
class BackupMetricsArgs:
    """Arguments of the exporter.

    Attributes:
        surroundings: The stack around it.
        settings: Settings of the backups.
    """

    surroundings: Surroundings
    settings: BackupSettings

    @classmethod
    def of(cls, stack: StackConfiguration, surroundings: Surroundings) -> Self | None:
        """The arguments in a stack; None without backups, and where nobody would read the metrics."""
        settings = stack.platform.backup
        if settings is None or BACKUP_METRICS not in surroundings.graph.observers:
            return None
        return cls(surroundings=surroundings, settings=settings)


class BackupMetrics(ObjectComponent):
    """The exporter with its identity, its right to list, and its NetworkPolicy. Does not own the metrics' names."""

    def __init__(self, name: str, args: BackupMetricsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:shared:BackupMetrics", name, args.surroundings, opts)
        pods = PodSet.of(args.surroundings, BACKUP_METRICS, BACKUP_COMPONENT)
        before = [
            self._register(name, pods.service_account()),
            self._register(name, pods.declared_policy(args.surroundings.graph, args.surroundings.controller)),
            *(self._register(name, each) for each in pods.reader_role(_rules())),
        ]
        self._register(name, pods.client_service({METRICS_PORT_NAME: BACKUP_METRICS_PORT}))
        self._register(name, pods.disruption_budget())
        self._register(name, deployment(pods, args.settings), *before, awaited=True)
        self.register_outputs({})


def _rules() -> list[dict[str, Any]]:
    """Rights of the exporter: to list Jobs and see how they ended. No Secret, no log, nothing to change."""
    return [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": ["batch"], "resources": ["cronjobs", "jobs"], "verbs": ["list"]},
    ]


def deployment(pods: PodSet, backup: BackupSettings) -> Manifest:
    """One pod, which keeps nothing; while it moves, Prometheus knows what it knew."""
    pod = exporter_pod(
        ExporterArgs(
            name=BACKUP_METRICS,
            image=backup.image,
            user=_USER,
            command=("python", "-m", "backup.exporter", "--port", str(BACKUP_METRICS_PORT)),
            resources=_RESOURCES,
            port=BACKUP_METRICS_PORT,
            health_path="/healthz",
            environment={
                "NAMESPACE": pods.namespace,
                "RECOVERY_POINT_SECONDS": str(backup.recovery_point_hours * _SECONDS_PER_HOUR),
            },
            token=True,
        )
    )
    return pods.deployment(1, pod)
