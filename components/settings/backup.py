"""When the stores are dumped, where the dumps lie and how long they are kept. Never a key."""

import zoneinfo
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from components.settings.base import Settings, section, setting
from components.settings.image import ImageSettings
from components.settings.schedule import longest_wait
from components.settings.workload import Memory, ResourceSettings


def _schedule(text: str) -> str:
    longest_wait(text)
    return text


def _time_zone(text: str) -> str:
    if text not in zoneinfo.available_timezones():
        raise ValueError(f"{text!r} is not a time zone; write one of the IANA database, such as Etc/UTC")
    return text


class ObjectStoreSettings(Settings):
    """Where PostgreSQL's write-ahead log goes for point-in-time recovery, through the Barman Cloud plugin."""

    endpoint: str = setting("data", "Address of the S3 interface.", pattern=r"^https://[^/\s]+$")
    bucket: str = setting("data", "Bucket, which must exist.", pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    path: str = setting("data", "Folder in the bucket.", "postgres", pattern=r"^[A-Za-z0-9][A-Za-z0-9/_-]*$")


class BackupSettings(Settings):
    """Scheduled dumps of the stores, encrypted, on a volume of their own."""

    image: ImageSettings = section("Image with the dump programs and the clients of the stores.")
    postgres_schedule: Annotated[str, AfterValidator(_schedule)] = setting(
        "data", "When PostgreSQL is dumped.", "0 1 * * *", unit="cron"
    )
    time_zone: Annotated[str, AfterValidator(_time_zone)] = setting("data", "Time zone of the schedules.", "Etc/UTC")
    recovery_point_hours: int = setting(
        "data", "Most recent work that may be lost, as the schedules must guarantee it.", 25, ge=1, le=744, unit="hours"
    )
    deadline_seconds: int = setting("data", "Time after which a dump counts as failed.", 3600, ge=60, unit="seconds")
    retention_days: int = setting("data", "Age at which a dump may be deleted.", 7, ge=1, le=3650, unit="days")
    retention_count: int = setting(
        "data", "Good dumps of each store that are kept whatever their age.", 3, ge=1, le=1000
    )
    volume_size: Memory = setting("data", "Volume of the dumps. It can grow, never shrink.", unit="Gi")
    resources: ResourceSettings = section("What a dump is guaranteed and may use.")
    object_store: ObjectStoreSettings | None = section(
        "S3 interface for the write-ahead log; null for no point-in-time recovery.", None
    )

    @model_validator(mode="after")
    def _schedules_meet_the_recovery_point(self) -> Self:
        wait = longest_wait(self.postgres_schedule) + timedelta(seconds=self.deadline_seconds)
        if wait > timedelta(hours=self.recovery_point_hours):
            raise ValueError(
                f"postgresSchedule {self.postgres_schedule!r} and deadlineSeconds can leave {wait} without a dump, but "
                f"recoveryPointHours is {self.recovery_point_hours}; dump more often or allow a larger loss"
            )
        return self
