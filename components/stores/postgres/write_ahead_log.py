"""Write-ahead log of PostgreSQL in an object store, with base backups, so that any moment can be restored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pulumi

from components.kubernetes.object import Manifest
from components.settings.backup import ObjectStoreSettings
from components.settings.secrets import OBJECT_STORE_CREDENTIALS
from components.stack.configuration import StackConfiguration
from components.stores.postgres.objects import API_VERSION, WAL_PLUGIN, WAL_STORE
from components.traffic.jobs import BACKUP_COMPONENT, dump_name
from components.traffic.stores import POSTGRES, POSTGRES_HOST
from components.workloads.component import ObjectComponent, Surroundings
from components.workloads.pod_set import PodSet

_CHECKSUMS = dict.fromkeys(("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION"), "when_required")
"""As `backup.object_store` uploads: boto3's default adds a checksum trailer, which several S3 stores refuse."""

_CREDENTIALS = dict(zip(("ACCESS_KEY_ID", "ACCESS_SECRET_KEY"), OBJECT_STORE_CREDENTIALS, strict=True))


@dataclass(frozen=True, kw_only=True)
class WriteAheadLogArgs:
    """Arguments of the write-ahead log.

    Attributes:
        surroundings: The stack around it.
        settings: The object store.
        stack: Name of the stack, whose folder it is.
        schedule: When base backups are made, as five fields of cron.
        retention_days: Age at which a base backup, and the log before it, may be deleted.
        credentials: Credentials of the object store by key of their Secret.
    """

    surroundings: Surroundings
    settings: ObjectStoreSettings
    stack: str
    schedule: str
    retention_days: int
    credentials: Mapping[str, pulumi.Output[str]]

    @classmethod
    def of(cls, stack: StackConfiguration, surroundings: Surroundings) -> Self | None:
        """The arguments in a stack; None where it runs no PostgreSQL itself or has no object store."""
        backup = stack.platform.backup
        if stack.platform.postgres is None or backup is None or backup.object_store is None:
            return None
        return cls(
            surroundings=surroundings,
            settings=backup.object_store,
            stack=pulumi.get_stack(),
            schedule=backup.postgres.schedule,
            retention_days=backup.retention_days,
            credentials={name: stack.secrets[key] for name, key in _CREDENTIALS.items()},
        )


class WriteAheadLog(ObjectComponent):
    """Object store of the operator's plugin, and schedule of its base backups. Does not own their content."""

    def __init__(self, name: str, args: WriteAheadLogArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:shared:WriteAheadLog", name, args.surroundings, opts)
        objects = PodSet.of(args.surroundings, dump_name(POSTGRES), BACKUP_COMPONENT)
        # Its name is fixed, for the object store names it.
        secret_name = f"{WAL_STORE}-credentials"
        content = pulumi.Output.all(**args.credentials, **_further_content(args.settings))
        credentials = self._register(f"{name}-credentials", objects.secret(content, secret_name))
        store = object_store(args, objects.metadata(WAL_STORE), secret_name)
        self._register(name, store, credentials, data=True)
        self._register(dump_name(POSTGRES), base_backups(args, objects.metadata()))
        self.register_outputs({})


def _further_content(settings: ObjectStoreSettings) -> dict[str, str]:
    """Content of the Secret that is none: the plugin takes region and CA from a Secret only."""
    return {"REGION": settings.region} | ({"CA": settings.endpoint_ca} if settings.endpoint_ca else {})


def object_store(args: WriteAheadLogArgs, metadata: Mapping[str, Any], secret: str) -> Manifest:
    """Object store in which the operator's Barman Cloud plugin keeps base backups and the write-ahead log."""
    keys = {"accessKeyId": "ACCESS_KEY_ID", "secretAccessKey": "ACCESS_SECRET_KEY", "region": "REGION"}
    settings = args.settings
    upload = {"compression": "gzip", **({"encryption": settings.encryption} if settings.encryption else {})}
    return {
        "apiVersion": "barmancloud.cnpg.io/v1",
        "kind": "ObjectStore",
        "metadata": metadata,
        "spec": {
            "retentionPolicy": f"{args.retention_days}d",
            "configuration": {
                "destinationPath": f"s3://{settings.bucket}/{settings.log_folder(args.stack)}",
                "endpointURL": settings.endpoint,
                **({"endpointCA": {"name": secret, "key": "CA"}} if settings.endpoint_ca else {}),
                "s3Credentials": {name: {"name": secret, "key": key} for name, key in keys.items()},
                "wal": upload,
                "data": upload,
            },
            "instanceSidecarConfiguration": {"env": [{"name": n, "value": v} for n, v in _CHECKSUMS.items()]},
        },
    }


def base_backups(args: WriteAheadLogArgs, metadata: Mapping[str, Any]) -> Manifest:
    """Base backups on the schedule of the other backups, and one at once, without which nothing can be recovered.

    The operator's schedules begin with seconds and are in UTC: its parser (robfig/cron 1.2) knows no time zone.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": "ScheduledBackup",
        "metadata": metadata,
        "spec": {
            "schedule": f"0 {args.schedule}",
            "immediate": True,
            "backupOwnerReference": "cluster",
            "cluster": {"name": POSTGRES_HOST},
            "method": "plugin",
            "pluginConfiguration": {"name": WAL_PLUGIN},
        },
    }
