"""Dumps and drills of the stores of a stack, and what each store tells the dumps about itself."""

from collections.abc import Callable, Mapping

import pulumi

from components.backups import manifests
from components.backups.manifests import BackedUpStore
from components.backups.metrics import BackupMetrics
from components.kubernetes.quantities import mebibytes
from components.settings.nats import NatsSettings
from components.settings.postgres import PostgresSettings
from components.settings.redis import RedisSettings
from components.settings.secrets import OBJECT_STORE_CREDENTIALS
from components.stack.configuration import StackConfiguration
from components.stores.nats import configuration as nats_configuration
from components.stores.nats import manifests as nats_manifests
from components.stores.nats.component import INTERNAL_SECRET_KEY as NATS_SECRET_KEY
from components.stores.postgres import write_ahead_log as postgres_backup
from components.stores.postgres.component import BACKUP_PASSWORD_KEY, RESTORE_PASSWORD_KEY
from components.stores.redis import configuration as redis_configuration
from components.stores.redis import manifests as redis_manifests
from components.stores.redis.component import INTERNAL_SECRET_KEY as REDIS_SECRET_KEY
from components.traffic.graph import ServiceGraph
from components.traffic.jobs import backed_up_stores, drill_name, dump_name
from components.traffic.observers import BACKUP_METRICS
from components.workloads.component import StoreComponent
from components.workloads.passwords import derived_password

ENCRYPTION_KEY = "backupEncryptionKey"
CREDENTIAL_KEYS = dict(zip(manifests.CREDENTIAL_VARIABLES, OBJECT_STORE_CREDENTIALS, strict=True))
"""Secret of the stack by the variable that carries it."""


class StoreBackup(StoreComponent):
    """The CronJobs of one store's dumps and drills with their volume, keys, identities and NetworkPolicies.

    Owns when is dumped and where the dumps lie. Does not own the program that dumps (the package `backup`) or the
    write-ahead log, which is the operator's.
    """

    def __init__(
        self, configuration: StackConfiguration, store: BackedUpStore, graph: ServiceGraph, namespace: pulumi.Resource
    ) -> None:
        platform, name = configuration.platform, dump_name(store.name)
        super().__init__(
            "alt-las:shared:StoreBackup", name, platform, namespace, formerly="alt-las:shared:PostgresBackup"
        )
        backup = platform.backup
        assert backup is not None, "asked for only where there are dumps"
        dumps, drills, drill = (
            manifests.dump_objects(platform, store.name),
            manifests.drill_objects(platform, store.name),
            drill_name(store.name),
        )
        content = pulumi.Output.all(**store.secrets, **store.restore_secrets, **_own_secrets(configuration))
        secret = self._register(f"{name}-secrets", dumps.secret(content)).metadata["name"]
        key = pulumi.Output.all(**{manifests.KEY_VARIABLE: configuration.secrets[ENCRYPTION_KEY]})
        drill_secret = self._register(f"{drill}-secrets", drills.secret(key)).metadata["name"]
        volume = manifests.claim(platform, backup, store)
        before = [
            self._register(name, dumps.service_account()),
            self._register(drill, drills.service_account()),
            self._register(name, manifests.dump_policy(platform, store.name, graph)),
            self._register(drill, manifests.drill_policy(platform, store.name)),
            self._register(manifests.claim_name(store.name), volume, data=True),
        ]
        self._register(name, manifests.dump_cron_job(platform, backup, store, secret), *before)
        self._register(drill, manifests.drill_cron_job(platform, backup, store, drill_secret), *before)
        self.register_outputs({})


def build_backups(configuration: StackConfiguration, graph: ServiceGraph, namespace: pulumi.Resource) -> None:
    """Register the dumps of every store that the stack runs, where it wants any."""
    for name in backed_up_stores(configuration.platform):
        StoreBackup(configuration, _STORES[name](configuration), graph, namespace)
    platform = configuration.platform
    if platform.backup and BACKUP_METRICS in graph.observers:
        BackupMetrics(platform, platform.backup, graph, namespace)


def _own_secrets(configuration: StackConfiguration) -> dict[str, pulumi.Output[str]]:
    backup = configuration.platform.backup
    uploads = CREDENTIAL_KEYS if backup and backup.object_store else {}
    keys = {manifests.KEY_VARIABLE: ENCRYPTION_KEY, **uploads}
    return {variable: configuration.secrets[key] for variable, key in keys.items()}


def _postgres(configuration: StackConfiguration) -> BackedUpStore:
    settings = configuration.platform.postgres
    assert isinstance(settings, PostgresSettings)
    return BackedUpStore(
        name="postgres",
        # The drill's server lives here, so it must hold the largest database once more.
        scratch_size=settings.storage_size,
        storage_class=settings.storage_class,
        environment=postgres_backup.connection(),
        secrets={"PGPASSWORD": configuration.secrets[BACKUP_PASSWORD_KEY]},
        restore_secrets={"PG_RESTORE_PASSWORD": configuration.secrets[RESTORE_PASSWORD_KEY]},
        parts=[database.name for database in settings.databases.by_service().values()],
    )


def _redis(configuration: StackConfiguration) -> BackedUpStore:
    settings, platform = configuration.platform.redis, configuration.platform
    assert isinstance(settings, RedisSettings)
    hosts = redis_manifests.servers(platform).hosts(settings.replicas) if settings.is_replicated else ()
    return BackedUpStore(
        name="redis",
        # A dump is smaller than the memory that it comes from, and the volume holds that twice.
        scratch_size=settings.storage_size,
        storage_class=settings.storage_class,
        environment={
            "REDIS_HOST": redis_manifests.NAME,
            "REDIS_HOSTS": " ".join(hosts or (redis_manifests.NAME,)),
            "REDIS_PORT": str(redis_configuration.PORT),
        },
        secrets=_passwords(configuration, REDIS_SECRET_KEY, {"REDIS_PASSWORD": "backup"}),
        restore_secrets=_passwords(configuration, REDIS_SECRET_KEY, {"REDIS_RESTORE_PASSWORD": "restore"}),
    )


def _nats(configuration: StackConfiguration) -> BackedUpStore:
    settings = configuration.platform.nats
    assert isinstance(settings, NatsSettings)
    users = {"NATS_PASSWORD": nats_configuration.BACKUP_USER}
    restorers = {"NATS_RESTORE_PASSWORD": nats_configuration.RESTORE_USER}
    return BackedUpStore(
        name="nats",
        # The snapshot of all streams, and the drill's server that restores them.
        scratch_size=f"{int(2 * mebibytes(settings.storage_size))}Mi",
        storage_class=settings.storage_class,
        environment={"NATS_URL": f"nats://{nats_manifests.NAME}:{nats_configuration.PORT}"},
        secrets=_passwords(configuration, NATS_SECRET_KEY, users),
        restore_secrets=_passwords(configuration, NATS_SECRET_KEY, restorers),
    )


def _passwords(configuration: StackConfiguration, key: str, users: Mapping[str, str]) -> dict[str, pulumi.Output[str]]:
    internal = configuration.secrets[key]
    return {variable: internal.apply(_of_user(user)) for variable, user in users.items()}


def _of_user(user: str) -> Callable[[str], str]:
    return lambda internal: derived_password(internal, user)


_STORES: Mapping[str, Callable[[StackConfiguration], BackedUpStore]] = {
    "postgres": _postgres,
    "redis": _redis,
    "nats": _nats,
}
