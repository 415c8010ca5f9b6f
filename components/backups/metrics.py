"""Shows monitoring what dumps and drills came to: a small exporter that asks the API server, where somebody scrapes."""

import pulumi

from components.backups.manifests import COMPONENT
from components.kubernetes.object import Manifest
from components.settings import PlatformSettings
from components.settings.backup import BackupSettings
from components.settings.workload import QuantitySettings, ResourceSettings
from components.traffic.graph import ServiceGraph
from components.traffic.network_policy import IngressController
from components.traffic.observers import BACKUP_METRICS, BACKUP_METRICS_PORT
from components.workloads.component import StoreComponent
from components.workloads.exporter import ExporterArgs, exporter_pod
from components.workloads.pod_set import PodSet, pod_set

_USER = 10001
_SECONDS_PER_HOUR = 3600
# The program takes 30Mi, and its answers some kilobytes for each Job that is kept.
_RESOURCES = ResourceSettings(
    requests=QuantitySettings(cpu="10m", memory="48Mi"), limits=QuantitySettings(cpu="200m", memory="128Mi")
)


class BackupMetrics(StoreComponent):
    """The exporter with its identity, its right to list, and its NetworkPolicy. Does not own the metrics' names."""

    def __init__(
        self, platform: PlatformSettings, backup: BackupSettings, graph: ServiceGraph, namespace: pulumi.Resource
    ) -> None:
        super().__init__("alt-las:shared:BackupMetrics", BACKUP_METRICS, platform, namespace)
        name, objects = BACKUP_METRICS, metrics_objects(platform)
        before = [
            self._register(name, objects.service_account()),
            self._register(name, objects.declared_policy(graph, IngressController.of(platform.ingress))),
            self._register(name, role(objects)),
            self._register(name, role_binding(objects)),
        ]
        self._register(name, objects.client_service({"metrics": BACKUP_METRICS_PORT}))
        self._register(name, objects.disruption_budget())
        self._register(name, deployment(platform, backup), *before, awaited=True)
        self.register_outputs({})


def metrics_objects(platform: PlatformSettings) -> PodSet:
    """The exporter's pods and what belongs to them."""
    return pod_set(platform, BACKUP_METRICS, COMPONENT)


def role(objects: PodSet) -> Manifest:
    """What the exporter may ask: which Jobs there are and how they ended. No Secret, no log, nothing to change."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": objects.metadata(),
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
            {"apiGroups": ["batch"], "resources": ["cronjobs", "jobs"], "verbs": ["list"]},
        ],
    }


def role_binding(objects: PodSet) -> Manifest:
    """Gives the exporter its role, in its own namespace only."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": objects.metadata(),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": objects.name},
        "subjects": [{"kind": "ServiceAccount", "name": objects.name, "namespace": objects.namespace}],
    }


def deployment(platform: PlatformSettings, backup: BackupSettings) -> Manifest:
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
                "NAMESPACE": platform.namespace,
                "RECOVERY_POINT_SECONDS": str(backup.recovery_point_hours * _SECONDS_PER_HOUR),
            },
            token=True,
        )
    )
    return metrics_objects(platform).deployment(1, pod)
