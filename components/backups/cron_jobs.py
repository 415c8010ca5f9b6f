"""CronJobs of backups and restore tests, and the volume of the backups: the same for every store.

A backup is also called a dump, and a restore test a drill, as the objects and the program `backup` name them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from components.kubernetes.object import Manifest
from components.settings.backup import BackupSettings
from components.traffic.jobs import BACKUP_COMPONENT, BackupSource, drill_name, dump_name
from components.workloads.component import Surroundings
from components.workloads.container import ContainerArgs, container
from components.workloads.objects import SKIP_AWAIT, CronJobArgs, JobArgs, cron_job, volume_claim
from components.workloads.passwords import PASSWORD_MOUNT, PASSWORDS_FOLDER, password_volume
from components.workloads.pod import PodArgs
from components.workloads.pod_set import PodSet

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


def dump_objects(surroundings: Surroundings, store: str) -> PodSet:
    """Pods that back up a store."""
    return PodSet.of(surroundings, dump_name(store), BACKUP_COMPONENT)


def drill_objects(surroundings: Surroundings, store: str) -> PodSet:
    """Pods that restore the newest backup of a store into a server of their own."""
    return PodSet.of(surroundings, drill_name(store), BACKUP_COMPONENT)


def claim_name(store: str) -> str:
    """Name of the volume of a store's dumps."""
    return f"{dump_name(store)}-dumps"


def claim(pods: PodSet, backup: BackupSettings, store: BackupSource) -> Manifest:
    """Volume of a store's backups. Each store has its own, because a volume is on one node at a time."""
    # A claim may wait for its first pod, which the schedule brings, so Pulumi must not wait for the claim.
    metadata = pods.metadata(claim_name(store.name)) | SKIP_AWAIT
    return volume_claim(metadata, backup.volume_size, store.storage_class)


def dump_cron_job(pods: PodSet, backup: BackupSettings, store: BackupSource, secret: Any, stack: str) -> Manifest:
    """Backups on a schedule. A failed one is a failed Job, which stays so that people can look at it."""
    retention = ("--keep", str(backup.retention_count), "--days", str(backup.retention_days))
    parts = [word for part in store.parts for word in ("--only", part)]
    command = (*_COMMAND, "dump", store.name, "--drill", *retention, *parts)
    return _cron_job(
        pods,
        backup,
        store,
        _container(backup, store, "dump", command, {**store.environment, **_uploads(backup, stack)}),
        password_volume(secret, (*store.secrets, *_key_names(backup))),
    )


def drill_cron_job(pods: PodSet, backup: BackupSettings, store: BackupSource, secret: Any) -> Manifest:
    """Restore tests: the newest backup in a server of the pod, compared. They have the key and reach nobody."""
    command = (*_COMMAND, "drill", store.name)
    return _cron_job(
        pods,
        backup,
        store,
        _container(backup, store, "drill", command, {}),
        password_volume(secret, (KEY_VARIABLE,)),
    )


def _key_names(backup: BackupSettings) -> tuple[str, ...]:
    return (KEY_VARIABLE, *(CREDENTIAL_VARIABLES if backup.object_store else ()))


CREDENTIAL_VARIABLES = ("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")
"""Variables with the credentials of the object store."""


def _uploads(backup: BackupSettings, stack: str) -> dict[str, str]:
    target = backup.object_store
    if target is None:
        return {}
    return {
        "S3_ENDPOINT": target.endpoint,
        "S3_BUCKET": target.bucket,
        "S3_PREFIX": target.dumps_folder(stack),
        "S3_REGION": target.region,
        **({"S3_ENCRYPTION": target.encryption} if target.encryption else {}),
        **({"S3_CA": target.endpoint_ca} if target.endpoint_ca else {}),
    }


def _container(
    backup: BackupSettings, store: BackupSource, action: str, command: Sequence[str], environment: Mapping[str, Any]
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
    store: BackupSource,
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
    metadata["labels"] |= own
    schedule = CronJobArgs(
        schedule=settings.schedule if is_dump else settings.drill_schedule,
        time_zone=backup.time_zone,
        start_seconds=_START_SECONDS,
        history=_HISTORY,
    )
    each = JobArgs(deadline_seconds=backup.deadline_seconds, retries=_RETRIES, kept_seconds=_SECONDS_KEPT)
    return cron_job(metadata, schedule, each, template)
