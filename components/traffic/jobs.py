"""The pods of the dumps and drills as the service graph sees them. Policies and proof derive from it."""

from collections.abc import Iterator

from components.settings import PlatformSettings
from components.traffic.graph import Job
from components.traffic.observers import REDIS_SERVERS


def dump_name(store: str) -> str:
    """Name of the pods that dump a store, of their CronJob and of their identity."""
    return f"{store}-backup"


def drill_name(store: str) -> str:
    """Name of the pods that restore the newest dump of a store into a server of their own."""
    return f"{dump_name(store)}-drill"


def backed_up_stores(platform: PlatformSettings) -> tuple[str, ...]:
    """Stores of the stack that are dumped."""
    if platform.backup is None:
        return ()
    stores = {"postgres": platform.postgres, "redis": platform.redis, "nats": platform.nats}
    return tuple(name for name, settings in stores.items() if settings is not None)


def declared_jobs(platform: PlatformSettings) -> tuple[Job, ...]:
    """The jobs of a stack. A drill reaches nobody: its server is in its own pod, the dump on a volume."""
    return tuple(_jobs(platform))


def _jobs(platform: PlatformSettings) -> Iterator[Job]:
    backup = platform.backup
    uploads = backup.object_store if backup else None
    outside = (uploads.ranges, uploads.port) if uploads else None
    replicated = platform.redis is not None and platform.redis.is_replicated
    for store in backed_up_stores(platform):
        # A replica is dumped, and restores go to the primary behind the proxies.
        behind = (REDIS_SERVERS,) if store == "redis" and replicated else ()
        yield Job(name=dump_name(store), calls=(store, *behind), outside=outside)
