"""Redis of a stack: how many servers, how big, what they drop when full and how soon a write is on disk."""

from typing import Literal, Self

from pydantic import model_validator

from components.kubernetes.quantities import mebibytes
from components.settings.base import Settings, section, setting
from components.settings.image import ImageSettings
from components.settings.store import Voters
from components.settings.workload import Memory, QuantitySettings, ResourceSettings

MEMORY_SHARE = 0.75
"""Largest share of the memory limit that data may fill. The rest is for buffers and for pages that are copied while a
child process rewrites the append-only file (redis.io, persistence: the child shares memory until it is written to)."""

VOLUME_FACTOR = 2
"""Smallest volume as a multiple of the data: a rewrite writes the new append-only file beside the old one."""


class RedisProxySettings(Settings):
    """The proxy that sends every connection to the present primary. Runs only where there are several servers."""

    image: ImageSettings = section("Image of HAProxy.", ImageSettings(repository="haproxy", tag="3.2.22-alpine"))
    replicas: int = setting("capacity", "Proxies, each of which finds the primary by itself.", 2, ge=2, le=9)
    resources: ResourceSettings = section(
        "What each proxy is guaranteed and may use.",
        ResourceSettings(
            requests=QuantitySettings(cpu="50m", memory="64Mi"), limits=QuantitySettings(cpu="250m", memory="128Mi")
        ),
    )


class RedisSentinelSettings(Settings):
    """Detection of a lost primary. Sentinels run only where there are several servers."""

    down_after_milliseconds: int = setting(
        "feature", "Silence after which a sentinel calls the primary down.", 3000, ge=500, le=60000, unit="milliseconds"
    )
    failover_timeout_milliseconds: int = setting(
        "feature", "Time after which a failover that got stuck is tried again.", 10000, ge=3000, unit="milliseconds"
    )
    resources: ResourceSettings = section(
        "What each sentinel is guaranteed and may use.",
        ResourceSettings(
            # A shell that probes it every five seconds shares its limit.
            requests=QuantitySettings(cpu="20m", memory="32Mi"),
            limits=QuantitySettings(cpu="200m", memory="64Mi"),
        ),
    )


class RedisSettings(Settings):
    """One server with an append-only file, or three and more with failover behind the same address."""

    image: ImageSettings = section(
        "Image of the server and the sentinel.", ImageSettings(repository="redis", tag="8.10.1-alpine")
    )
    replicas: Voters = setting("capacity", "Servers; from 3 on one fails over to another.", ge=1, le=7, unit="pods")
    storage_size: Memory = setting("data", "Volume of each server. It can grow, never shrink.", unit="Gi")
    storage_class: str | None = setting("data", "StorageClass of the volumes; null for the cluster's default.", None)
    resources: ResourceSettings = section("What each server is guaranteed and may use.")
    max_memory: Memory = setting("capacity", "Memory that data may fill before maxMemoryPolicy acts.", unit="Mi")
    max_memory_policy: Literal["noeviction", "volatile-lru", "volatile-ttl", "allkeys-lru", "allkeys-lfu"] = setting(
        "data",
        "What goes when data fills maxMemory; `volatile-lru` takes only keys that were given a time to live.",
        "volatile-lru",
    )
    append_fsync: Literal["everysec", "always"] = setting(
        "data",
        "When a write is forced to disk: before its answer, or once a second. A killed server loses nothing either "
        "way; a lost node loses up to one second with `everysec`.",
        "everysec",
    )
    max_replica_lag_seconds: int = setting(
        "data", "Silence of its replicas after which the primary refuses writes.", 3, ge=2, le=60, unit="seconds"
    )
    max_clients: int = setting("capacity", "Connections that each server accepts.", 1000, ge=50, le=10000)
    sentinel: RedisSentinelSettings = section("How a lost primary is noticed.", RedisSentinelSettings())
    proxy: RedisProxySettings = section("The proxy in front of several servers.", RedisProxySettings())

    @property
    def is_replicated(self) -> bool:
        """True if there is a replica to fail over to."""
        return self.replicas > 1

    @property
    def replicas_to_write(self) -> int:
        """Replicas that must be in touch before the primary accepts a write: with it they are a majority."""
        return self.replicas // 2

    @property
    def quorum(self) -> int:
        """Sentinels that must agree that the primary is down."""
        return self.replicas // 2 + 1

    @model_validator(mode="after")
    def _data_fits_the_memory_limit(self) -> Self:
        limit, data = mebibytes(self.resources.limits.memory), mebibytes(self.max_memory)
        if data > MEMORY_SHARE * limit:
            raise ValueError(
                f"maxMemory ({self.max_memory}) is above {MEMORY_SHARE:.0%} of resources.limits.memory "
                f"({self.resources.limits.memory}), so the kernel would kill the server before it evicts anything; "
                "lower maxMemory or raise the limit"
            )
        return self

    @model_validator(mode="after")
    def _data_fits_the_volume(self) -> Self:
        if VOLUME_FACTOR * mebibytes(self.max_memory) > mebibytes(self.storage_size):
            raise ValueError(
                f"storageSize ({self.storage_size}) is below {VOLUME_FACTOR} times maxMemory ({self.max_memory}), so a "
                "rewrite of the append-only file could fill the volume; raise storageSize or lower maxMemory"
            )
        return self
