"""Alerts about the stores that the stack runs itself: PostgreSQL, Redis and NATS."""

from collections.abc import Iterator

from components.kubernetes.quantities import mebibytes
from components.observability.alerts.alert import Alert
from components.settings import PlatformSettings
from components.settings.nats import NatsSettings, StreamSettings
from components.settings.postgres import PostgresSettings
from components.settings.prometheus import ExportersSettings
from components.settings.redis import RedisSettings
from components.traffic.stores import NATS

_FULL = 0.8
_REDIS_FULL = 0.4
"""Share of the volume at which a rewrite of Redis' append-only file, which doubles it, comes near its end."""

_MEMORY_FULL = 0.9
_LAG_SECONDS = 30
_PENDING_MESSAGES = 1000
_BYTES_PER_MEBIBYTE = 1024 * 1024


_WHERE = "{{ with $labels.pod }} on {{ . }}{{ end }}"
"""End of a summary: the pod, unless the alert is about the absence of all."""


def _bytes(quantity: str, share: float) -> str:
    return str(int(mebibytes(quantity) * _BYTES_PER_MEBIBYTE * round(share * 100) / 100))


def store_alerts(platform: PlatformSettings) -> Iterator[Alert]:
    """All of them, for the stores that the stack has and that have metrics."""
    where = f'namespace="{platform.namespace}"'
    exporters = platform.prometheus.exporters if platform.prometheus else ExportersSettings()
    if platform.postgres:
        yield from _postgres(platform.postgres, where)
    if platform.redis and exporters.redis:
        yield from _redis(platform.redis, where)
    if platform.nats and exporters.nats:
        yield from _nats(platform.nats, where)


def _down(name: str, not_answering: str, known: str, summary: str, description: str) -> Alert:
    """Page: a server does not answer, or for more than five minutes, longer than a restart takes, there is none."""
    return Alert(
        name=name,
        expression=f"{not_answering} or absent_over_time({known}[5m])",
        minutes=1,
        severity="page",
        summary=f"{summary}{_WHERE}",
        description=description,
    )


def _postgres(postgres: PostgresSettings, where: str) -> Iterator[Alert]:
    up = f"cnpg_collector_up{{{where}}}"
    yield _down(
        "PostgresDown",
        f"{up} == 0",
        up,
        "PostgreSQL does not answer",
        "With one server every service with a database fails; with several, one fewer may be lost.",
    )
    if postgres.instances > 1:
        yield Alert(
            name="PostgresReplicaMissing",
            expression=f"count by (namespace) ({up} == 1) < {postgres.instances}",
            minutes=15,
            severity="ticket",
            summary=f"{{{{ $value }}}} of {postgres.instances} PostgreSQL servers answer",
            description="One fewer may be lost; with a single one left no commit is answered.",
        )
    yield Alert(
        name="PostgresReplicationLag",
        expression=f"cnpg_pg_replication_lag{{{where}}} > {_LAG_SECONDS}",
        minutes=5,
        severity="page",
        summary="{{ $labels.pod }} is {{ $value | humanizeDuration }} behind its primary",
        description="A failover to it would wait, or lose what it has not received.",
    )
    connections = postgres.parameters.max_connections
    yield Alert(
        name="PostgresConnectionsNearlyUsed",
        expression=f"sum by (namespace, pod) (cnpg_backends_total{{{where}}}) / {connections} > {_FULL:g}",
        minutes=10,
        severity="ticket",
        summary="{{ $labels.pod }}: {{ $value | humanizePercentage }} of the connections are used",
        description="When all are used, services are refused.",
    )
    data = f"sum by (namespace, pod) (cnpg_pg_database_size_bytes{{{where}}})"
    log = f'sum by (namespace, pod) (cnpg_collector_pg_wal{{{where},value="size"}})'
    yield Alert(
        name="PostgresVolumeFills",
        expression=f"{data} + {log} > {_bytes(postgres.storage_size, _FULL)}",
        minutes=5,
        severity="page",
        summary=f"{{{{ $labels.pod }}}}: {{{{ $value | humanize1024 }}}}B of {postgres.storage_size} are used",
        description="A full volume stops the server, and it cannot start again before there is room.",
    )


def _redis(redis: RedisSettings, where: str) -> Iterator[Alert]:
    up = f"redis_up{{{where}}}"
    yield _down(
        "RedisDown",
        f"{up} == 0",
        up,
        "Redis does not answer",
        "With one server the gateway has no cache and no sessions; with several, one fewer may be lost.",
    )
    yield Alert(
        name="RedisMemoryNearlyFull",
        expression=f"redis_memory_used_bytes{{{where}}} / (redis_memory_max_bytes{{{where}}} > 0) > {_MEMORY_FULL:g}",
        minutes=10,
        severity="ticket",
        summary="{{ $labels.pod }}: {{ $value | humanizePercentage }} of maxMemory is used",
        description="From 100 % on keys with a time to live are dropped, and without such keys writes are refused.",
    )
    primaries = f'count by (namespace) (redis_instance_info{{{where},role="master"}})'
    none = f'absent(redis_instance_info{{{where},role="master"}})'
    yield Alert(
        name="RedisWithoutOnePrimary",
        expression=f"{primaries} > 1 or {none}",
        minutes=2,
        severity="page",
        summary="Redis has no primary, or more than one",
        description="Without a primary every write fails. Of two, the proxy uses the one that has replicas.",
    )
    yield Alert(
        name="RedisVolumeFills",
        expression=f"redis_aof_current_size_bytes{{{where}}} > {_bytes(redis.storage_size, _REDIS_FULL)}",
        minutes=5,
        severity="ticket",
        summary=f"{{{{ $labels.pod }}}}: the log has {{{{ $value | humanize1024 }}}}B of {redis.storage_size}",
        description="A rewrite needs as much again; when the volume is full, Redis refuses writes.",
    )


def _nats(nats: NatsSettings, where: str) -> Iterator[Alert]:
    # The exporter answers without its server, but has no figures of it then.
    figures = f"gnatsd_varz_connections{{{where}}}"
    yield _down(
        "NatsDown",
        f'(up{{{where},job="{NATS}"}} == 1 unless on (namespace, pod) {figures})',
        figures,
        "NATS does not answer",
        "With one server no message is taken or delivered; with several, one fewer may be lost.",
    )
    yield Alert(
        name="JetStreamConsumerLag",
        expression=(
            f"max by (namespace, stream_name, consumer_name) (jetstream_consumer_num_pending{{{where},"
            f'is_consumer_leader="true"}}) > {_PENDING_MESSAGES}'
        ),
        minutes=10,
        severity="page",
        summary="{{ $labels.consumer_name }}: {{ $value }} messages of {{ $labels.stream_name }} wait",
        description="Results are archived later and later.",
    )
    yield from (_stream(each, where) for each in nats.streams)
    stored, most = (f"jetstream_server_{what}{{{where}}}" for what in ("total_message_bytes", "max_storage"))
    yield Alert(
        name="JetStreamStorageFills",
        expression=f"{stored} / ({most} > 0) > {_FULL:g}",
        minutes=5,
        severity="page",
        summary="{{ $labels.pod }}: {{ $value | humanizePercentage }} of the storage for streams is used",
        description="When it is used up, new messages are refused.",
    )


def _stream(stream: StreamSettings, where: str) -> Alert:
    """A stream near its own limit, which it reaches long before the server's where streams share the volume."""
    stored = f'jetstream_stream_total_bytes{{{where},stream_name="{stream.name}"}}'
    refuses = stream.when_full == "refuse"
    return Alert(
        name="JetStreamStreamFills",
        expression=f"max by (namespace, stream_name) ({stored}) > {_bytes(stream.max_bytes, _FULL)}",
        minutes=5,
        severity="page" if refuses else "ticket",
        summary=f"{{{{ $labels.stream_name }}}} has {{{{ $value | humanize1024 }}}}B of {stream.max_bytes}",
        description=(
            "A full stream refuses new messages, also when all messages have been consumed."
            if refuses
            else "A full stream drops its oldest messages, also those that were not consumed."
        ),
    )
