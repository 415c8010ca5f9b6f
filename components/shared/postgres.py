"""PostgreSQL of a stack, run by the operator CloudNativePG."""

from collections.abc import Mapping

import pulumi

from components.kubernetes_object import KubernetesObject, Manifest
from components.service_graph import ServiceGraph, Store
from components.settings.postgres import PostgresSettings
from components.shared import postgres_manifests as manifests
from components.shared.store_component import StoreComponent
from components.stack_configuration import StackConfiguration

PASSWORD_KEYS = {
    "segmentation-service": "postgresSegmentationPassword",
    "archive-service": "postgresArchivePassword",
}
"""Secret with the password of each service's role."""

BACKUP_PASSWORD_KEY = "postgresBackupPassword"  # noqa: S105  # the name of a configuration key


def postgres_store() -> Store:
    """PostgreSQL as the service graph sees it."""
    return Store(name=manifests.STORE, port=manifests.PORT, pod_labels=manifests.pod_labels())


def postgres_environment(
    configuration: StackConfiguration, postgres: PostgresSettings
) -> dict[str, Mapping[str, pulumi.Input[str]]]:
    """How each service with a database reaches it: secret environment variables by service."""
    return {
        service: manifests.environment(database.name, configuration.secrets[PASSWORD_KEYS[service]])
        for service, database in postgres.databases.by_service().items()
    }


class Postgres(StoreComponent):
    """The Cluster, a Database and a role Secret for each service, and the NetworkPolicy in front of them.

    Owns what the servers are and who may connect. Does not own the operator, the volumes that the operator makes, or
    the dumps.
    """

    def __init__(
        self,
        configuration: StackConfiguration,
        postgres: PostgresSettings,
        graph: ServiceGraph,
        namespace: pulumi.Resource,
    ) -> None:
        super().__init__("alt-las:shared:Postgres", manifests.HOST, configuration.platform, namespace)
        platform, passwords = configuration.platform, configuration.secrets
        names = {service: database.name for service, database in postgres.databases.by_service().items()}
        keys = {names[service]: PASSWORD_KEYS[service] for service in names}
        keys[manifests.BACKUP_ROLE] = BACKUP_PASSWORD_KEY
        # Not guarded as data: a new password replaces the Secret, and the stack file holds what it is made of.
        before: list[pulumi.Resource] = [
            self._register(manifests.role_secret_name(role), manifests.role_secret(role, passwords[key], platform))
            for role, key in keys.items()
        ]
        before.append(self._register(manifests.HOST, manifests.network_policy(graph, postgres, platform)))
        cluster = self._keep(manifests.cluster(postgres, platform), *before)
        for name in names.values():
            self._keep(manifests.database(name, platform), cluster)
        self.register_outputs({})

    def _keep(self, manifest: Manifest, *after: pulumi.Resource) -> KubernetesObject:
        return self._register(str(manifest["metadata"]["name"]), manifest, *after, data=True)
