"""When the stores are dumped and drilled, where the dumps lie and how long they are kept. Never a key."""

import zoneinfo
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from components.settings.base import Settings, section, setting
from components.settings.bucket import BucketSettings
from components.settings.image import ImageSettings
from components.settings.schedule import longest_wait
from components.settings.workload import Memory, ResourceSettings

DRILL_OVERHEAD_MEBIBYTES = 128
"""Memory of a drill beside the data of Redis that its server loads: the program and the empty server,
measured 57Mi beside 191Mi of data."""


def _schedule(text: str) -> str:
    longest_wait(text)
    return text


def _time_zone(text: str) -> str:
    if text not in zoneinfo.available_timezones():
        raise ValueError(f"{text!r} is not a time zone; write one of the IANA database, such as Etc/UTC")
    return text


Schedule = Annotated[str, AfterValidator(_schedule)]


class StoreBackupSettings(Settings):
    """When one store is dumped and drilled, and what that may use."""

    schedule: Schedule = setting("data", "When the store is dumped.", "0 1 * * *", unit="cron")
    drill_schedule: Schedule = setting(
        "data", "When the newest dump is restored into a server of its own and compared.", "0 4 * * 0", unit="cron"
    )
    resources: ResourceSettings | None = section(
        "What dump and drill are guaranteed and may use; null for `backup.resources`.", None
    )


class PostgresBackupSettings(StoreBackupSettings):
    """Dumps and drills of PostgreSQL."""


class RedisBackupSettings(StoreBackupSettings):
    """Dumps and drills of Redis. Both load all data into a server of their own, so they need memory for it."""

    schedule: Schedule = setting("data", "When the store is dumped.", "20 1 * * *", unit="cron")
    drill_schedule: Schedule = setting(
        "data", "When the newest dump is restored into a server of its own and compared.", "20 4 * * 0", unit="cron"
    )


class NatsBackupSettings(StoreBackupSettings):
    """Dumps and drills of NATS."""

    schedule: Schedule = setting("data", "When the store is dumped.", "40 1 * * *", unit="cron")
    drill_schedule: Schedule = setting(
        "data", "When the newest dump is restored into a server of its own and compared.", "40 4 * * 0", unit="cron"
    )


class ObjectStoreSettings(BucketSettings):
    """S3 interface to which dumps are uploaded and, by the Barman Cloud plugin, PostgreSQL's write-ahead log.

    The one place that says where in the bucket each of them lies. Every stack has a folder, and every life of a stack
    its own archives in it: a new PostgreSQL must not write into the write-ahead log of an earlier one.
    """

    path: str | None = setting(
        "data",
        "Folder of the stack in the bucket, which no other stack may use; null for the stack's name.",
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$",
        examples=["teams/platform"],
    )
    generation: int = setting(
        "data",
        "Life of the stack. Raise it when the stack is deployed again without its data, such as on a new cluster: "
        "the new life writes archives of its own, and those of earlier lives stay and can be restored.",
        1,
        ge=1,
    )
    encryption: Literal["AES256", "aws:kms"] | None = setting(
        "security",
        "Encryption at rest that uploads ask the store for; null for what the bucket does by itself. A store without "
        "a key service refuses uploads that ask.",
        None,
    )

    def folder(self, stack: str) -> str:
        """Folder of a stack in the bucket."""
        return self.path or stack

    def dumps_folder(self, stack: str, generation: int | None = None) -> str:
        """Folder of the dumps of a life of a stack, the present one when none is named."""
        return f"{self.folder(stack)}/dumps/{generation or self.generation}"

    def log_folder(self, stack: str) -> str:
        """Folder of the base backups and the write-ahead logs of all lives of a stack."""
        return f"{self.folder(stack)}/wal"

    def archive(self, generation: int | None = None) -> str:
        """Name of the archive in the log's folder of a life of a stack, the present one when none is named."""
        return f"postgres-{generation or self.generation}"


class BackupSettings(Settings):
    """Scheduled dumps of the stores, encrypted, on a volume for each store, and drills that restore them."""

    image: ImageSettings = section("Image with the dump programs and the clients and servers of the stores.")
    postgres: PostgresBackupSettings = section("Dumps and drills of PostgreSQL.", PostgresBackupSettings())
    redis: RedisBackupSettings = section("Dumps and drills of Redis.", RedisBackupSettings())
    nats: NatsBackupSettings = section("Dumps and drills of NATS.", NatsBackupSettings())
    time_zone: Annotated[str, AfterValidator(_time_zone)] = setting(
        "data",
        "Time zone of the schedules. PostgreSQL's base backups in a bucket are the operator's, which knows UTC only: "
        "they start at the same figures in UTC.",
        "Etc/UTC",
    )
    recovery_point_hours: int = setting(
        "data", "Most recent work that may be lost, as the schedules must guarantee it.", 25, ge=1, le=744, unit="hours"
    )
    deadline_seconds: int = setting(
        "data", "Time after which a dump or a drill counts as failed.", 3600, ge=60, unit="seconds"
    )
    retention_days: int = setting("data", "Age at which a dump may be deleted.", 7, ge=1, le=3650, unit="days")
    retention_count: int = setting(
        "data", "Good dumps of each store that are kept whatever their age.", 3, ge=1, le=1000
    )
    volume_size: Memory = setting("data", "Volume of each store's dumps. It can grow, never shrink.", unit="Gi")
    resources: ResourceSettings = section("What a dump or a drill is guaranteed and may use.")
    object_store: ObjectStoreSettings | None = section(
        "S3 interface for copies of the dumps and the write-ahead log; null for neither.", None
    )

    def by_store(self) -> dict[str, StoreBackupSettings]:
        """Dumps and drills of each store, by its name."""
        return {"postgres": self.postgres, "redis": self.redis, "nats": self.nats}

    def resources_of(self, store: str) -> ResourceSettings:
        """Requests and limits of a store's dump and drill."""
        return self.by_store()[store].resources or self.resources

    @model_validator(mode="after")
    def _schedules_meet_the_recovery_point(self) -> Self:
        for store, settings in self.by_store().items():
            wait = longest_wait(settings.schedule) + timedelta(seconds=self.deadline_seconds)
            if wait > timedelta(hours=self.recovery_point_hours):
                raise ValueError(
                    f"{store}.schedule {settings.schedule!r} and deadlineSeconds can leave {wait} without a dump, but "
                    f"recoveryPointHours is {self.recovery_point_hours}; dump more often or allow a larger loss"
                )
        return self
