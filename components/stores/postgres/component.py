"""PostgreSQL of a stack, run by the operator CloudNativePG."""

from collections.abc import Mapping

import pulumi

from components.kubernetes.object import KubernetesObject, Manifest
from components.settings.postgres import PostgresSettings
from components.stack.configuration import Passwords, StackConfiguration
from components.stores.postgres import manifests
from components.traffic.graph import ServiceGraph, Store
from components.workloads.component import StoreComponent

PASSWORD_KEYS = {
    "segmentation-service": "postgresSegmentationPassword",
    "archive-service": "postgresArchivePassword",
}
"""Secret with the password of each service's role."""

RESTORE_PASSWORD_KEY = "postgresRestorePassword"  # noqa: S105  # the name of a configuration key
BACKUP_PASSWORD_KEY = "postgresBackupPassword"  # noqa: S105  # the name of a configuration key


def postgres_store() -> Store:
    """PostgreSQL as the service graph sees it."""
    return Store(name=manifests.STORE, port=manifests.PORT, pod_labels=manifests.pod_labels())


def postgres_environment(
    configuration: StackConfiguration, postgres: PostgresSettings
) -> dict[str, Mapping[str, pulumi.Input[str]]]:
    """How each service with a database reaches it: secret environment variables by service."""
    return {
        service: _environment(database.name, configuration.passwords(PASSWORD_KEYS[service]))
        for service, database in postgres.databases.by_service().items()
    }


def _environment(database: str, passwords: Passwords) -> Mapping[str, pulumi.Input[str]]:
    return manifests.environment(database, passwords.in_use, second=passwords.second_in_use)


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
        platform = configuration.platform
        databases = postgres.databases.by_service()
        connections = manifests.connections(postgres, platform)
        passwords = {
            manifests.BACKUP_ROLE: configuration.secrets[BACKUP_PASSWORD_KEY],
            manifests.RESTORE_ROLE: configuration.secrets[RESTORE_PASSWORD_KEY],
        }
        for service, database in databases.items():
            first, second = configuration.passwords(PASSWORD_KEYS[service]).both
            passwords |= {
                manifests.login_of(database.name, second=False): first,
                manifests.login_of(database.name, second=True): second,
            }
        # Not guarded as data: a new password replaces the Secret, and the stack file holds what it is made of.
        before: list[pulumi.Resource] = [
            self._register(manifests.role_secret_name(role), manifests.role_secret(role, password, platform))
            for role, password in passwords.items()
        ]
        before.append(self._register(manifests.HOST, manifests.network_policy(graph, postgres, platform)))
        cluster = self._keep(manifests.cluster(postgres, platform), *before)
        for service, database in databases.items():
            self._keep(manifests.database(database.name, platform, connections[service]), cluster)
        self.register_outputs({})

    def _keep(self, manifest: Manifest, *after: pulumi.Resource) -> KubernetesObject:
        return self._register(str(manifest["metadata"]["name"]), manifest, *after, data=True)
