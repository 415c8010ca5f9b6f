"""The objects of the dumps and drills as manifests, the same for every store: CronJobs, volume, who may do what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.kubernetes.object import Manifest
from components.settings import PlatformSettings
from components.settings.backup import BackupSettings
from components.traffic.graph import ServiceGraph
from components.traffic.jobs import drill_name, dump_name
from components.traffic.network_policy import IngressController
from components.workloads.container import ContainerArgs, container
from components.workloads.passwords import PASSWORD_MOUNT, PASSWORDS_FOLDER, password_volume
from components.workloads.pod import PodArgs
from components.workloads.pod_set import PodSet, pod_set

COMPONENT = "backup"
KEY_VARIABLE = "BACKUP_KEY"
STORE_LABEL = "alt-las.io/store"
"""Label of CronJobs, Jobs and pods: the store that they dump or drill."""

ACTION_LABEL = "alt-las.io/backup-action"
"""Label of CronJobs, Jobs and pods: dump or drill."""

_USER = 10001
_FOLDER = "/backups"
_SCRATCH = "/tmp"  # noqa: S108  # a mount path
_REPORT = "/dev/termination-log"
_COMMAND = ("python", "-m", "backup", "--root", _FOLDER)
_HISTORY = 3
_RETRIES = 2
_START_SECONDS = 600
_SECONDS_KEPT = 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class BackedUpStore:
    """What the dumps of a store need to know about it.

    Attributes:
        name: Name of the store.
        scratch_size: Room for what a dump or a drill needs meanwhile, as Kubernetes writes sizes.
        storage_class: StorageClass of the volume, or None for the cluster's default.
        environment: How the dumps reach the store, without secrets.
        secrets: Secret variables of the dumps.
        restore_secrets: Secret variables that a restore needs beside them. They lie in the Secret; no CronJob has them.
        parts: Databases or streams to dump; all when empty.
    """

    name: str
    scratch_size: str
    storage_class: str | None
    environment: Mapping[str, str]
    secrets: Mapping[str, pulumi.Input[str]]
    restore_secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    parts: Sequence[str] = ()


def dump_objects(platform: PlatformSettings, store: str) -> PodSet:
    """The pods that dump a store."""
    return pod_set(platform, dump_name(store), COMPONENT)


def drill_objects(platform: PlatformSettings, store: str) -> PodSet:
    """The pods that restore the newest dump of a store into a server of their own."""
    return pod_set(platform, drill_name(store), COMPONENT)


def claim_name(store: str) -> str:
    """Name of the volume of a store's dumps."""
    return f"{dump_name(store)}-dumps"


def claim(platform: PlatformSettings, backup: BackupSettings, store: BackedUpStore) -> Manifest:
    """The volume of a store's dumps. Each store has its own, because a volume is on one node at a time."""
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": backup.volume_size}},
    }
    if store.storage_class:
        spec["storageClassName"] = store.storage_class
    # A claim may wait for its first pod, which the schedule brings, so Pulumi must not wait for the claim.
    metadata = dump_objects(platform, store.name).metadata(claim_name(store.name))
    metadata |= {"annotations": {"pulumi.com/skipAwait": "true"}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def dump_policy(platform: PlatformSettings, store: str, graph: ServiceGraph) -> Manifest:
    """The dumps reach their store, and the object store where there is one; nobody reaches them."""
    return dump_objects(platform, store).declared_policy(graph, IngressController.of(platform.ingress))


def drill_policy(platform: PlatformSettings, store: str) -> Manifest:
    """A drill reaches nobody, and nobody reaches it."""
    return drill_objects(platform, store).network_policy([], [])


def dump_cron_job(platform: PlatformSettings, backup: BackupSettings, store: BackedUpStore, secret: Any) -> Manifest:
    """One dump at a time; a failed one is a failed Job, which stays to be looked at."""
    retention = ("--keep", str(backup.retention_count), "--days", str(backup.retention_days))
    parts = [word for part in store.parts for word in ("--only", part)]
    command = (*_COMMAND, "dump", store.name, "--drill", *retention, *parts)
    return _cron_job(
        dump_objects(platform, store.name),
        backup,
        store,
        _container(backup, store, "dump", command, {**store.environment, **_uploads(backup)}),
        _passwords(secret, (*store.secrets, *_key_names(backup))),
    )


def drill_cron_job(platform: PlatformSettings, backup: BackupSettings, store: BackedUpStore, secret: Any) -> Manifest:
    """Restores the newest dump into a server in its own pod and compares. It has the key and reaches nobody."""
    command = (*_COMMAND, "drill", store.name)
    return _cron_job(
        drill_objects(platform, store.name),
        backup,
        store,
        _container(backup, store, "drill", command, {}),
        _passwords(secret, (KEY_VARIABLE,)),
    )


def _key_names(backup: BackupSettings) -> tuple[str, ...]:
    return (KEY_VARIABLE, *(CREDENTIAL_VARIABLES if backup.object_store else ()))


CREDENTIAL_VARIABLES = ("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")
"""Variables with the credentials of the object store."""


def _uploads(backup: BackupSettings) -> dict[str, str]:
    target = backup.object_store
    if target is None:
        return {}
    return {
        "S3_ENDPOINT": target.endpoint,
        "S3_BUCKET": target.bucket,
        "S3_PREFIX": target.dumps_path,
        "S3_REGION": target.region,
    }


def _passwords(secret: Any, names: Sequence[str]) -> dict[str, Any]:
    """The files with the passwords that a job needs, and no others of the Secret."""
    volume = password_volume(secret)
    items = [{"key": name, "path": name} for name in names]
    return {**volume, "secret": {**volume["secret"], "items": items}}


def _container(
    backup: BackupSettings, store: BackedUpStore, action: str, command: Sequence[str], environment: Mapping[str, Any]
) -> dict[str, Any]:
    return container(
        ContainerArgs(
            name=action,
            image=backup.image.reference,
            command=command,
            resources=backup.resources_of(store.name),
            environment={**environment, "BACKUP_REPORT": _REPORT, "PASSWORDS_DIR": PASSWORDS_FOLDER},
            mounts={_FOLDER: "backups", _SCRATCH: "scratch", **PASSWORD_MOUNT},
        )
    )


def _cron_job(
    objects: PodSet,
    backup: BackupSettings,
    store: BackedUpStore,
    job: Mapping[str, Any],
    passwords: Mapping[str, Any],
) -> Manifest:
    settings, is_dump = backup.by_store()[store.name], job["name"] == "dump"
    # Only dumps write to the volume.
    reading = {} if is_dump else {"readOnly": True}
    pod = PodArgs(
        version=backup.image.tag,
        user=_USER,
        containers=[job],
        volumes=[
            {"name": "backups", "persistentVolumeClaim": {"claimName": claim_name(store.name), **reading}},
            {"name": "scratch", "emptyDir": {"sizeLimit": store.scratch_size}},
            passwords,
        ],
        grace_period_seconds=30,
        restart_policy="Never",
    )
    template, own = objects.pod_template(pod), {STORE_LABEL: store.name, ACTION_LABEL: str(job["name"])}
    template["metadata"]["labels"] |= own
    metadata = objects.metadata()
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata | {"labels": metadata["labels"] | own},
        "spec": {
            "schedule": settings.schedule if is_dump else settings.drill_schedule,
            "timeZone": backup.time_zone,
            "startingDeadlineSeconds": _START_SECONDS,
            # Two dumps at once would be two writers on one volume.
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": _HISTORY,
            "failedJobsHistoryLimit": _HISTORY,
            "jobTemplate": {
                "metadata": {"labels": metadata["labels"] | own},
                "spec": {
                    "backoffLimit": _RETRIES,
                    "activeDeadlineSeconds": backup.deadline_seconds,
                    "ttlSecondsAfterFinished": _SECONDS_KEPT,
                    "template": template,
                },
            },
        },
    }
