"""Pods of backups, restore tests and load tests as the service graph sees them, and the facts that they need."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components.settings import PlatformSettings
from components.traffic.graph import Job
from components.traffic.stores import NATS, POSTGRES, REDIS, REDIS_SERVERS, bucket_of

BACKUP_COMPONENT = "backup"
"""Role of the backups in the platform, the value of `app.kubernetes.io/component`."""


LOAD_TEST = "load-test"
"""Name of the pods that load the gateway from inside the cluster, and of their CronJob, which never runs by itself."""

_GATEWAY = "api-gateway"


@dataclass(frozen=True, kw_only=True)
class BackupSource:
    """Facts about a store that its backups need.

    Attributes:
        name: Name of the store.
        scratch_size: Temporary space of a backup or a restore test, as Kubernetes writes sizes.
        storage_class: StorageClass of the volume, or None for the cluster's default.
        environment: How backups reach the store, without secrets.
        secrets: Secret variables of the backups.
        restore_secrets: Secret variables that a restore needs in addition. They lie in the Secret; no CronJob has them.
        parts: Databases or streams to back up; all when empty.
    """

    name: str
    scratch_size: str
    storage_class: str | None
    environment: Mapping[str, str]
    secrets: Mapping[str, pulumi.Input[str]]
    restore_secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    parts: Sequence[str] = ()


def dump_name(store: str) -> str:
    """Name of the pods that dump a store, of their CronJob and of their identity."""
    return f"{store}-backup"


def drill_name(store: str) -> str:
    """Name of the pods that restore the newest dump of a store into a server of their own."""
    return f"{dump_name(store)}-drill"


def backed_up_stores(platform: PlatformSettings) -> tuple[str, ...]:
    """Stores of the stack that are dumped."""
    if platform.backup is None:
        return ()
    stores = {POSTGRES: platform.postgres, REDIS: platform.redis, NATS: platform.nats}
    return tuple(name for name, settings in stores.items() if settings is not None)


def declared_jobs(platform: PlatformSettings) -> tuple[Job, ...]:
    """The jobs of a stack. A drill reaches nobody: its server is in its own pod, the dump on a volume."""
    return tuple(_jobs(platform))


def _jobs(platform: PlatformSettings) -> Iterator[Job]:
    outside = bucket_of(platform)
    replicated = platform.redis is not None and platform.redis.is_replicated
    for store in backed_up_stores(platform):
        # A replica is dumped, and restores go to the primary behind the proxies.
        behind = (REDIS_SERVERS,) if store == REDIS and replicated else ()
        yield Job(name=dump_name(store), calls=(store, *behind), outside=outside)
    if platform.load_test and platform.load_test.image:
        yield Job(name=LOAD_TEST, calls=(_GATEWAY,))
