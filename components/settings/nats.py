"""NATS of a stack: how many servers, how big, and which streams keep messages."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from components.kubernetes.quantities import mebibytes
from components.settings.base import Settings, section, setting
from components.settings.image import ImageSettings
from components.settings.store import Voters
from components.settings.workload import Memory, QuantitySettings, ResourceSettings

STORAGE_SHARE = 0.9
"""Share of the volume that streams may fill; the rest is for the records of elections and for compaction."""

MEMORY_SHARE = 0.8
"""Share of the memory limit at which the server starts to collect garbage harder (GOMEMLIMIT)."""

_STREAM_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,31}")
_SUBJECT = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+|\.\*)*(\.>)?")


def _stream_name(text: str) -> str:
    if not _STREAM_NAME.fullmatch(text):
        raise ValueError("is not a stream name; write upper-case letters, digits and '_', such as LAST_FILES")
    return text


def _subject(text: str) -> str:
    if not _SUBJECT.fullmatch(text):
        raise ValueError("is not a subject; write lower-case words joined by dots, such as last.files or last.>")
    return text


class StreamSettings(Settings):
    """One stream: which messages are kept, on how many servers, and until when."""

    name: Annotated[str, AfterValidator(_stream_name)] = setting("data", "Name of the stream, such as LAST_FILES.")
    subjects: tuple[Annotated[str, AfterValidator(_subject)], ...] = setting(
        "data", "Subjects whose messages are kept.", min_length=1
    )
    replicas: Voters = setting("data", "Servers that keep each message.", ge=1, le=5)
    max_bytes: Memory = setting("data", "Most that the stream may hold on each server.", unit="Mi or Gi")
    max_age_seconds: int = setting("data", "How long a message is kept.", 604800, ge=60, unit="seconds")
    when_full: Literal["refuse", "drop-oldest"] = setting(
        "data", "What a full stream does: refuse new messages, or drop the oldest.", "refuse"
    )
    duplicate_window_seconds: int = setting(
        "data", "Time in which a message with a known identifier is taken for a repetition.", 120, ge=1, unit="seconds"
    )

    @property
    def limit_bytes(self) -> int:
        """Bytes at which the stream is full."""
        return int(mebibytes(self.max_bytes) * 1024 * 1024)

    @model_validator(mode="after")
    def _duplicates_are_known_while_kept(self) -> Self:
        if self.duplicate_window_seconds > self.max_age_seconds:
            raise ValueError(
                f"duplicateWindowSeconds ({self.duplicate_window_seconds}) is above maxAgeSeconds "
                f"({self.max_age_seconds}), which the server refuses; lower the window"
            )
        return self


class NatsSettings(Settings):
    """One server, or three and more that elect a leader for each stream. Every message is on disk before its answer."""

    image: ImageSettings = section("Image of the server.", ImageSettings(repository="nats", tag="2.15.1-alpine"))
    tools_image: ImageSettings = section(
        "Image with the nats command, which makes the streams.",
        ImageSettings(repository="natsio/nats-box", tag="0.18.1"),
    )
    replicas: Voters = setting("capacity", "Servers; from 3 on one may be lost.", ge=1, le=5, unit="pods")
    storage_size: Memory = setting("data", "Volume of each server. It can grow, never shrink.", unit="Gi")
    storage_class: str | None = setting("data", "StorageClass of the volumes; null for the cluster's default.", None)
    resources: ResourceSettings = section("What each server is guaranteed and may use.")
    tools_resources: ResourceSettings = section(
        "What the Job that makes the streams is guaranteed and may use.",
        ResourceSettings(
            requests=QuantitySettings(cpu="20m", memory="32Mi"), limits=QuantitySettings(cpu="200m", memory="128Mi")
        ),
    )
    max_payload_kibibytes: int = setting("feature", "Largest message.", 1024, ge=1, le=8192, unit="Ki")
    streams: tuple[StreamSettings, ...] = setting("data", "The streams that are made and kept as declared.", ())

    @property
    def is_clustered(self) -> bool:
        """True if the servers elect leaders among them."""
        return self.replicas > 1

    @property
    def max_file_store_mebibytes(self) -> int:
        """MiB that the streams of one server may fill together."""
        return int(mebibytes(self.storage_size) * round(STORAGE_SHARE * 100) / 100)

    @property
    def memory_target_mebibytes(self) -> int:
        """MiB that the server tries to stay below."""
        return int(mebibytes(self.resources.limits.memory) * round(MEMORY_SHARE * 100) / 100)

    @model_validator(mode="after")
    def _streams_fit_the_servers(self) -> Self:
        for index, stream in enumerate(self.streams):
            if stream.replicas > self.replicas:
                raise ValueError(
                    f"streams[{index}].replicas of {stream.name} is {stream.replicas}, but replicas is "
                    f"{self.replicas}, so there are not enough servers to keep them on; lower it or run more servers"
                )
        return self

    @model_validator(mode="after")
    def _streams_fit_the_volume(self) -> Self:
        wanted = sum(mebibytes(stream.max_bytes) for stream in self.streams)
        if wanted > self.max_file_store_mebibytes:
            raise ValueError(
                f"streams may hold {wanted}Mi together, but of storageSize ({self.storage_size}) only "
                f"{self.max_file_store_mebibytes}Mi are for them; lower maxBytes or raise storageSize"
            )
        return self

    @model_validator(mode="after")
    def _streams_do_not_overlap(self) -> Self:
        names = [stream.name for stream in self.streams]
        subjects = [subject for stream in self.streams for subject in stream.subjects]
        for what, found in (("name", names), ("subject", subjects)):
            doubled = sorted({each for each in found if found.count(each) > 1})
            if doubled:
                raise ValueError(f"streams use the {what} {', '.join(doubled)} twice; give each to one stream only")
        return self
