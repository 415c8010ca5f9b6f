"""Loki of a stack: how long logs are kept, where they lie, and how much may come in. Never a key."""

from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from components.kubernetes.quantities import mebibytes
from components.settings.base import Settings, section, setting
from components.settings.bucket import BucketSettings
from components.settings.image import ImageSettings
from components.settings.workload import Memory, ResourceSettings

VOLUME_SHARE = 0.9
"""Share of the volume that logs may fill; the rest is for the write-ahead log and the index."""

MEMORY_SHARE = 0.8
"""Share of the memory limit at which Loki starts to collect garbage harder (GOMEMLIMIT)."""

REQUIRED_LABELS = ("service", "phase", "pod")
"""Labels that every stream has: dashboards and people ask by them."""

FURTHER_LABELS = ("component", "container", "node", "version")
"""Labels that a stack may add: their number of values is bounded by the stack's own objects and nodes."""

STREAMS_OF_A_POD = 4
"""What a pod prints and what it sends are a stream each, and those of the pods before a rollout stay open a while."""


def _label(name: str) -> str:
    known = (*REQUIRED_LABELS, *FURTHER_LABELS)
    if name not in known:
        raise ValueError(
            f"{name!r} is not among the labels whose number of values is bounded ({', '.join(known)}); each value of a "
            "label opens a stream of its own, so write what differs from request to request into the line, and search "
            "it there"
        )
    return name


def _day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a day; write it as 2026-01-31") from None
    return text


class LokiObjectStoreSettings(BucketSettings):
    """Place of logs that are not on Loki's own volume: a bucket behind an S3 interface.

    Its keys are the secrets `lokiS3AccessKeyId` and `lokiS3SecretAccessKey`.
    """

    since: Annotated[str, AfterValidator(_day)] = setting(
        "data",
        "First day (UTC) whose logs lie in the bucket; earlier ones stay on the volume. For a Loki that has logs "
        "already it must be a day to come.",
    )


class LokiLimitSettings(Settings):
    """Limits of Loki's intake; beyond them, senders are told to wait or the line is cut."""

    ingestion_rate_mebibytes: int = setting(
        "capacity", "Log bytes that may come in each second in the long run.", 4, ge=1, le=1024, unit="Mi/second"
    )
    ingestion_burst_mebibytes: int = setting(
        "capacity", "Log bytes that may come in at once.", 8, ge=1, le=1024, unit="Mi"
    )
    max_streams: int = setting("capacity", "Streams that may be open at once.", 5000, ge=10, le=1000000)
    max_line_kibibytes: int = setting("capacity", "Longest line; what is longer is cut.", 256, ge=1, le=4096, unit="Ki")

    @model_validator(mode="after")
    def _a_line_fits_a_burst(self) -> Self:
        if self.ingestion_burst_mebibytes < self.ingestion_rate_mebibytes:
            raise ValueError(
                f"ingestionBurstMebibytes ({self.ingestion_burst_mebibytes}) is below ingestionRateMebibytes "
                f"({self.ingestion_rate_mebibytes}), so a second's lines could never come at once; raise the burst"
            )
        return self


class LokiSettings(Settings):
    """One server that keeps the logs of the platform's pods and answers questions about them."""

    image: ImageSettings = section("Image of the server.", ImageSettings(repository="grafana/loki", tag="3.7.8"))
    storage_size: Memory = setting("data", "Volume of the server. It can grow, never shrink.", unit="Gi")
    storage_class: str | None = setting("data", "StorageClass of the volume; null for the cluster's default.", None)
    resources: ResourceSettings = section("What the server is guaranteed and may use.")
    retention_days: int = setting("data", "Age at which logs are deleted.", ge=1, le=3650, unit="days")
    ingest_mebibytes_per_day: int = setting(
        "capacity",
        "Log bytes that all pods print on a busy day, as they come in. What compression saves is the reserve.",
        ge=1,
        unit="Mi/day",
    )
    labels: tuple[Annotated[str, AfterValidator(_label)], ...] = setting(
        "feature", "Labels by which streams are told apart, beyond those that every stream has.", ()
    )
    limits: LokiLimitSettings = section("What comes in at most.", LokiLimitSettings())
    object_store: LokiObjectStoreSettings | None = section(
        "S3 interface behind which the logs lie; null for the server's own volume.", None
    )

    @property
    def stream_labels(self) -> tuple[str, ...]:
        """All labels of a stream, each once."""
        return tuple(dict.fromkeys((*REQUIRED_LABELS, *self.labels)))

    @property
    def volume_mebibytes(self) -> int:
        """MiB of the volume that logs may fill."""
        return int(mebibytes(self.storage_size) * round(VOLUME_SHARE * 100) / 100)

    @property
    def memory_target_mebibytes(self) -> int:
        """MiB that the server tries to stay below."""
        return int(mebibytes(self.resources.limits.memory) * round(MEMORY_SHARE * 100) / 100)

    @model_validator(mode="after")
    def _retention_fits_the_volume(self) -> Self:
        # Behind an S3 interface the volume only holds what has not been sent yet: a day of it outlives an outage.
        days = 1 if self.object_store else self.retention_days
        needed = days * self.ingest_mebibytes_per_day
        if needed > self.volume_mebibytes:
            fitting = self.volume_mebibytes // self.ingest_mebibytes_per_day
            what = "one day" if self.object_store else f"retentionDays ({self.retention_days})"
            cure = f"lower retentionDays to {fitting}, " if fitting and not self.object_store else ""
            raise ValueError(
                f"{what} at ingestMebibytesPerDay ({self.ingest_mebibytes_per_day}) is {needed}Mi, but of storageSize "
                f"({self.storage_size}) only {self.volume_mebibytes}Mi are for logs; {cure}raise storageSize"
                + ("" if self.object_store else ", or name an objectStore")
            )
        return self
