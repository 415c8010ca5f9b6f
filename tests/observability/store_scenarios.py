"""Scenarios of the alerts about stores."""

from tests.observability.scenario import Cases, Scenario, constant, pair, series

_POD = 'pod="db-1"'


def _gone(name: str) -> Cases:
    """A series that ends for good, and one that is away for as long as a restart takes."""
    one = series(name, _POD)
    return {one: "1x30 stale _x30"}, {one: "1x33 stale _x3 1x30"}


_SIZES = (
    series("cnpg_pg_database_size_bytes", _POD, 'datname="a"'),
    series("cnpg_collector_pg_wal", _POD, 'value="size"'),
)
_REDIS = (series("redis_memory_used_bytes", _POD), series("redis_memory_max_bytes", _POD))
_STORED = (series("jetstream_server_total_message_bytes", _POD), series("jetstream_server_max_storage", _POD))
_NATS_UP = series("up", 'job="nats"', _POD)
_NATS_FIGURES = series("gnatsd_varz_connections", _POD)
STORES = (
    Scenario(alert="PostgresDown", severity="page", cases=constant("cnpg_collector_up", _POD, 0, 1)),
    Scenario(
        alert="NatsDown",
        severity="page",
        cases=pair(_NATS_UP, _NATS_FIGURES, ("1x60", "5x10 stale"), ("1x60", "0x60")),
        where={"pod": "db-1"},
    ),
    Scenario(alert="PostgresReplicationLag", severity="page", cases=constant("cnpg_pg_replication_lag", _POD, 31, 30)),
    Scenario(alert="PostgresConnectionsNearlyUsed", cases=constant("cnpg_backends_total", _POD, 81, 80)),
    Scenario(
        alert="PostgresVolumeFills", severity="page", cases=pair(*_SIZES, ("8e9x60", "1e9x60"), ("7e9x60", "1e9x60"))
    ),
    Scenario(alert="RedisDown", severity="page", cases=constant("redis_up", _POD, 0, 1)),
    Scenario(alert="RedisMemoryNearlyFull", cases=pair(*_REDIS, ("91x60", "100x60"), ("90x60", "100x60"))),
    Scenario(
        alert="RedisWithoutOnePrimary",
        severity="page",
        cases=(
            {series("redis_instance_info", 'role="slave"', _POD): "1x60"},
            {series("redis_instance_info", 'role="master"', _POD): "1x60"},
        ),
    ),
    Scenario(alert="RedisVolumeFills", cases=constant("redis_aof_current_size_bytes", _POD, 9e8, 8e8)),
    Scenario(
        alert="JetStreamConsumerLag",
        severity="page",
        cases=constant("jetstream_consumer_num_pending", 'is_consumer_leader="true",stream_name="S"', 1001, 1000),
    ),
    # The limit is that of the stream, which is below the one of the server.
    Scenario(
        alert="JetStreamStreamFills",
        severity="page",
        cases=constant("jetstream_stream_total_bytes", 'stream_name="LAST_FILES"', 8.6e8, 8.5e8),
    ),
    Scenario(
        alert="JetStreamStorageFills", severity="page", cases=pair(*_STORED, ("81x60", "100x60"), ("80x60", "100x60"))
    ),
    # The only server has no pod, and so nobody who could say that it does not answer.
    *(
        Scenario(alert=alert, severity="page", cases=_gone(known), minute=40)
        for alert, known in (
            ("PostgresDown", "cnpg_collector_up"),
            ("RedisDown", "redis_up"),
            ("NatsDown", "gnatsd_varz_connections"),
        )
    ),
)

_SERVER = [series("cnpg_collector_up", f'pod="postgres-db-{number}"') for number in (1, 2, 3)]
SEVERAL = (
    # The third has no pod; or it restarts.
    Scenario(
        alert="PostgresReplicaMissing",
        cases=(
            {_SERVER[0]: "1x60", _SERVER[1]: "1x60", _SERVER[2]: "1x10 stale"},
            {_SERVER[0]: "1x60", _SERVER[1]: "1x60", _SERVER[2]: "1x10 stale _x8 1x60"},
        ),
    ),
    Scenario(
        alert="JetStreamStreamFills",
        cases=constant("jetstream_stream_total_bytes", 'stream_name="LAST_FILES"', 8.6e8, 8.5e8),
    ),
)
"""With three PostgreSQL servers, and a stream that drops its oldest messages."""
