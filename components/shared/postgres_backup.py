"""Scheduled dumps of PostgreSQL: each is encrypted, restored into a server of its own and compared."""

from typing import Any

import pulumi

from components.kubernetes_object import Manifest
from components.settings.backup import BackupSettings, ObjectStoreSettings
from components.settings.platform import PlatformSettings
from components.settings.postgres import PostgresSettings
from components.shared import postgres_manifests as postgres_objects
from components.shared.postgres import BACKUP_PASSWORD_KEY
from components.shared.store_component import StoreComponent
from components.shared.store_manifests import StoreObjects
from components.shared.store_pods import ContainerArgs, PodArgs, container
from components.stack_configuration import StackConfiguration

NAME = postgres_objects.BACKUP_WORKLOAD
CLAIM = f"{NAME}-dumps"
ENCRYPTION_KEY = "backupEncryptionKey"
OBJECT_STORE_SECRET = "postgres-wal-credentials"  # noqa: S105  # the name of a Secret
_USER = 10001
_FOLDER = "/backups"
_COMMAND = ("python", "-m", "backup", "--root", _FOLDER)
_SCRATCH = "/tmp"  # noqa: S108  # a mount path
_HISTORY = 3
_START_SECONDS = 600
_SECONDS_KEPT = 7 * 24 * 3600


class PostgresBackup(StoreComponent):
    """The CronJob of the dumps with its volume, key, identity and NetworkPolicy.

    Owns when is dumped and where the dumps lie. Does not own the program that dumps (the package `backup`) or the
    write-ahead log, which is the operator's.
    """

    def __init__(self, configuration: StackConfiguration, namespace: pulumi.Resource) -> None:
        platform = configuration.platform
        super().__init__("alt-las:shared:PostgresBackup", NAME, platform, namespace)
        if platform.postgres is None or platform.backup is None:
            return
        postgres, backup, objects = platform.postgres, platform.backup, backup_objects(platform)
        content = pulumi.Output.all(
            PGPASSWORD=configuration.secrets[BACKUP_PASSWORD_KEY], BACKUP_KEY=configuration.secrets[ENCRYPTION_KEY]
        )
        secret = self._register(f"{NAME}-secrets", objects.secret(content)).metadata["name"]
        policy = objects.network_policy([], [(postgres_objects.pod_labels(), [postgres_objects.PORT])])
        before = [
            self._register(NAME, objects.service_account()),
            self._register(NAME, policy),
            self._register(CLAIM, claim(objects, backup, postgres), data=True),
        ]
        self._register(NAME, cron_job(objects, backup, postgres, secret), *before)
        if backup.object_store:
            self._register(postgres_objects.WAL_STORE, object_store(objects, backup, backup.object_store), data=True)
            self._register(NAME, base_backups(objects, backup))
        self.register_outputs({})


def backup_objects(platform: PlatformSettings) -> StoreObjects:
    """Names and labels of the dumps' objects."""
    policy = platform.rollout.image_pull_policy
    return StoreObjects(name=NAME, component="backup", namespace=platform.namespace, image_pull_policy=policy)


def claim(objects: StoreObjects, backup: BackupSettings, postgres: PostgresSettings) -> Manifest:
    """The volume of the dumps, beside those of the servers."""
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": backup.volume_size}},
    }
    if postgres.storage_class:
        spec["storageClassName"] = postgres.storage_class
    # A claim may wait for its first pod, which the schedule brings, so Pulumi must not wait for the claim.
    metadata = objects.metadata(CLAIM) | {"annotations": {"pulumi.com/skipAwait": "true"}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def cron_job(
    objects: StoreObjects, backup: BackupSettings, postgres: PostgresSettings, secret: pulumi.Input[str]
) -> Manifest:
    """One dump at a time; a failed one is a failed Job, which stays to be looked at."""
    pod = objects.pod_template(_pod(backup, postgres, secret))
    job = {
        "backoffLimit": 2,
        "activeDeadlineSeconds": backup.deadline_seconds,
        "ttlSecondsAfterFinished": _SECONDS_KEPT,
        "template": pod,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": objects.metadata(),
        "spec": {
            "schedule": backup.postgres_schedule,
            "timeZone": backup.time_zone,
            "startingDeadlineSeconds": _START_SECONDS,
            # Two dumps at once would be two writers on one volume.
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": _HISTORY,
            "failedJobsHistoryLimit": _HISTORY,
            "jobTemplate": {"spec": job},
        },
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


def _pod(backup: BackupSettings, postgres: PostgresSettings, secret: pulumi.Input[str]) -> PodArgs:
    parts = [word for each in postgres.databases.by_service().values() for word in ("--only", each.name)]
    retention = ["--keep", str(backup.retention_count), "--days", str(backup.retention_days)]
    secrets = {
        name: {"valueFrom": {"secretKeyRef": {"name": secret, "key": name}}} for name in ("PGPASSWORD", "BACKUP_KEY")
    }
    return PodArgs(
        version=backup.image.tag,
        user=_USER,
        containers=[
            container(
                ContainerArgs(
                    name="dump",
                    image=backup.image.reference,
                    command=[*_COMMAND, "dump", "postgres", "--drill", *retention, *parts],
                    resources=backup.resources,
                    environment={**connection(), **secrets},
                    mounts={_FOLDER: "backups", _SCRATCH: "scratch"},
                )
            )
        ],
        volumes=[
            {"name": "backups", "persistentVolumeClaim": {"claimName": CLAIM}},
            # The drill's server lives here, so it must hold the largest database once more.
            {"name": "scratch", "emptyDir": {"sizeLimit": postgres.storage_size}},
        ],
        grace_period_seconds=30,
        restart_policy="Never",
    )


def object_store(objects: StoreObjects, backup: BackupSettings, settings: ObjectStoreSettings) -> Manifest:
    """Where the operator's Barman Cloud plugin keeps base backups and the write-ahead log."""
    credentials = {
        name: {"name": OBJECT_STORE_SECRET, "key": key}
        for name, key in (("accessKeyId", "ACCESS_KEY_ID"), ("secretAccessKey", "ACCESS_SECRET_KEY"))
    }
    return {
        "apiVersion": "barmancloud.cnpg.io/v1",
        "kind": "ObjectStore",
        "metadata": objects.metadata(postgres_objects.WAL_STORE),
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


def base_backups(objects: StoreObjects, backup: BackupSettings) -> Manifest:
    """Base backups on the schedule of the dumps; the operator's schedules begin with seconds."""
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "ScheduledBackup",
        "metadata": objects.metadata(),
        "spec": {
            "schedule": f"0 {backup.postgres_schedule}",
            "backupOwnerReference": "cluster",
            "cluster": {"name": postgres_objects.HOST},
            "method": "plugin",
            "pluginConfiguration": {"name": postgres_objects.WAL_PLUGIN},
        },
    }
