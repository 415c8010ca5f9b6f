"""What the write-ahead log of PostgreSQL needs beside the dumps: an object store, base backups, credentials."""

from typing import Any

import pulumi

from components.backups import manifests as backup_manifests
from components.kubernetes.object import Manifest
from components.settings.backup import BackupSettings, ObjectStoreSettings
from components.settings.platform import PlatformSettings
from components.settings.secrets import OBJECT_STORE_CREDENTIALS
from components.stack.configuration import StackConfiguration
from components.stores.postgres import manifests as postgres_objects
from components.traffic.jobs import dump_name
from components.workloads.component import StoreComponent
from components.workloads.pod_set import PodSet

OBJECT_STORE_SECRET = "postgres-wal-credentials"  # noqa: S105  # the name of a Secret
_CREDENTIALS = dict(zip(("ACCESS_KEY_ID", "ACCESS_SECRET_KEY"), OBJECT_STORE_CREDENTIALS, strict=True))


class WriteAheadLog(StoreComponent):
    """Where the operator's plugin keeps the log, and when it makes base backups. Does not own either's content."""

    def __init__(
        self,
        configuration: StackConfiguration,
        backup: BackupSettings,
        settings: ObjectStoreSettings,
        namespace: pulumi.Resource,
    ) -> None:
        platform, name = configuration.platform, postgres_objects.WAL_STORE
        super().__init__("alt-las:shared:WriteAheadLog", name, platform, namespace)
        content = pulumi.Output.all(**{name: configuration.secrets[key] for name, key in _CREDENTIALS.items()})
        credentials = self._register(OBJECT_STORE_SECRET, credentials_secret(platform, content))
        self._register(name, object_store(platform, backup, settings), credentials, data=True)
        self._register(dump_name(postgres_objects.STORE), base_backups(platform, backup))
        self.register_outputs({})


def _objects(platform: PlatformSettings) -> PodSet:
    return backup_manifests.dump_objects(platform, postgres_objects.STORE)


def credentials_secret(platform: PlatformSettings, content: pulumi.Input[Any]) -> Manifest:
    """How the plugin logs in. Its name is fixed, for the object store names it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _objects(platform).metadata(OBJECT_STORE_SECRET),
        "stringData": content,
    }


def connection() -> dict[str, str]:
    """How the dumps reach the servers, but for the password."""
    return {
        "PGHOST": postgres_objects.HOST,
        "PGPORT": str(postgres_objects.PORT),
        "PGUSER": postgres_objects.BACKUP_ROLE,
        "PGDATABASE": postgres_objects.HOME_DATABASE,
        "PGSSLMODE": "require",
    }


def object_store(platform: PlatformSettings, backup: BackupSettings, settings: ObjectStoreSettings) -> Manifest:
    """Where the operator's Barman Cloud plugin keeps base backups and the write-ahead log."""
    credentials = {
        name: {"name": OBJECT_STORE_SECRET, "key": key}
        for name, key in (("accessKeyId", "ACCESS_KEY_ID"), ("secretAccessKey", "ACCESS_SECRET_KEY"))
    }
    return {
        "apiVersion": "barmancloud.cnpg.io/v1",
        "kind": "ObjectStore",
        "metadata": _objects(platform).metadata(postgres_objects.WAL_STORE),
        "spec": {
            "retentionPolicy": f"{backup.retention_days}d",
            "configuration": {
                "destinationPath": f"s3://{settings.bucket}/{settings.path}",
                "endpointURL": settings.endpoint,
                "s3Credentials": credentials,
                "wal": {"compression": "gzip", "encryption": "AES256"},
                "data": {"compression": "gzip", "encryption": "AES256"},
            },
        },
    }


def base_backups(platform: PlatformSettings, backup: BackupSettings) -> Manifest:
    """Base backups on the schedule of the dumps; the operator's schedules begin with seconds."""
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "ScheduledBackup",
        "metadata": _objects(platform).metadata(),
        "spec": {
            "schedule": f"0 {backup.postgres.schedule}",
            "backupOwnerReference": "cluster",
            "cluster": {"name": postgres_objects.HOST},
            "method": "plugin",
            "pluginConfiguration": {"name": postgres_objects.WAL_PLUGIN},
        },
    }
