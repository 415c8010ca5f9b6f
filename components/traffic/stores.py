"""Stores as the service graph sees them, and the facts about them that others rely on: names, ports and labels."""

from collections.abc import Iterator

from components.kubernetes.naming import selector_labels
from components.settings import PlatformSettings
from components.settings.redis import RedisSettings
from components.traffic.graph import Outside, Store

POSTGRES = "postgres"
POSTGRES_HOST = "postgres-db"
"""Name of the Cluster, and the DNS name under which services reach its primary."""

POSTGRES_PORT = 5432
REDIS, REDIS_PORT = "redis", 6379
REDIS_PROXY = "redis-proxy"
REDIS_SERVERS = "redis-servers"
"""Redis's servers, where `redis` in the service graph means the proxies in front of them."""

NATS, NATS_PORT, NATS_MONITORING_PORT = "nats", 4222, 8222
NATS_USERS = "nats-users"
"""Secret with the users. Its name stays when they change, so that running servers get them without a restart."""


def postgres_pod_labels() -> dict[str, str]:
    """Labels that the operator gives the pods of the PostgreSQL servers."""
    return {"cnpg.io/cluster": POSTGRES_HOST}


def declared_stores(platform: PlatformSettings) -> tuple[Store, ...]:
    """The stores that a stack runs itself."""
    return tuple(_stores(platform))


def bucket_of(platform: PlatformSettings) -> tuple[Outside, ...]:
    """Destination of backups and of PostgreSQL's write-ahead log, where they go to a bucket."""
    bucket = platform.backup.object_store if platform.backup else None
    return (Outside(bucket.ranges, bucket.port),) if bucket else ()


def postgres_names(namespace: str, cluster_domain: str) -> list[str]:
    """All forms of the host name of PostgreSQL that a client in the cluster may use."""
    short = f"{POSTGRES_HOST}.{namespace}"
    return [POSTGRES_HOST, short, f"{short}.svc", f"{short}.svc.{cluster_domain}"]


def _stores(platform: PlatformSettings) -> Iterator[Store]:
    if platform.postgres:
        # Each server uploads its own log: the archiver is a container in the servers' pods.
        yield Store(name=POSTGRES, port=POSTGRES_PORT, pod_labels=postgres_pod_labels(), outside=bucket_of(platform))
    if platform.redis:
        yield _redis(platform.redis)
        if platform.prometheus or platform.backup:
            # Monitoring and the backups reach the servers, behind the proxies or not.
            yield Store(name=REDIS_SERVERS, port=REDIS_PORT, pod_labels=selector_labels(REDIS))
    if platform.nats:
        yield Store(name=NATS, port=NATS_PORT, pod_labels=selector_labels(NATS))


def _redis(settings: RedisSettings) -> Store:
    # Callers reach the proxies where there are any.
    labels = selector_labels(REDIS_PROXY if settings.is_replicated else REDIS)
    return Store(name=REDIS, port=REDIS_PORT, pod_labels=labels)
