"""The dashboard of the data stores: are they there, how full are they, how far are they behind."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from components.observability.dashboards.panels import Limits, Panel, Promql, board, graph, number
from components.observability.dashboards.view import View


def stores_board(view: View) -> Dashboard:
    """PostgreSQL, Redis and NATS, as far as the stack runs them."""
    makers = {"postgres": ("PostgreSQL", _postgres), "redis": ("Redis", _redis), "nats": ("NATS", _nats)}
    rows = [(title, make(view)) for title, make in (makers[name] for name in view.stores)]
    text = f"What the stack {view.stack} keeps, and how well."
    return board("alt-las-stores", "Data stores", text, rows)


def _postgres(_: View) -> list[Panel]:
    return [
        number("Servers", "Servers that answer.", "none", Promql("sum(cnpg_collector_up)"), Limits(1, 1, "high")),
        number(
            "Replication lag",
            "How far the slowest standby is behind; without a standby there is none.",
            "s",
            Promql("max(cnpg_pg_replication_lag) or vector(0)"),
            Limits(5, 30),
        ),
        number(
            "Longest transaction",
            "An old transaction keeps dead rows and locks.",
            "s",
            Promql("max(cnpg_backends_max_tx_duration_seconds) or vector(0)"),
            Limits(60, 600),
        ),
        number(
            "Failed archivings",
            "Pieces of the write-ahead log that could not be sent away in the last hour.",
            "none",
            Promql("sum(increase(cnpg_pg_stat_archiver_failed_count[1h])) or vector(0)"),
            Limits(1, 5),
        ),
        graph(
            "Transactions",
            "Committed and rolled back, each second.",
            "ops",
            Promql("sum(rate(cnpg_pg_stat_database_xact_commit[$__rate_interval]))", "committed"),
            Promql("sum(rate(cnpg_pg_stat_database_xact_rollback[$__rate_interval]))", "rolled back"),
        ),
        graph("Connections", "By state.", "none", Promql("sum by (state) (cnpg_backends_total)", "{{state}}")),
        graph(
            "Size",
            "Of each database.",
            "bytes",
            Promql("max by (datname) (cnpg_pg_database_size_bytes)", "{{datname}}"),
        ),
        graph(
            "Deadlocks",
            "Transactions that were ended because they waited for each other.",
            "none",
            Promql("sum(increase(cnpg_pg_stat_database_deadlocks[5m]))", "in 5 minutes"),
        ),
    ]


def _redis(_: View) -> list[Panel]:
    hits = "sum(rate(redis_keyspace_hits_total[$__rate_interval]))"
    misses = "sum(rate(redis_keyspace_misses_total[$__rate_interval]))"
    return [
        number("Servers", "Servers that answer.", "none", Promql("sum(redis_up)"), Limits(1, 1, "high")),
        number(
            "Memory used",
            "Of what the fullest server may use.",
            "percentunit",
            Promql("max(redis_memory_used_bytes / (redis_memory_max_bytes > 0))"),
            Limits(0.8, 0.95),
        ),
        number(
            "Last write to disk",
            "1 where the append-only file was written.",
            "none",
            Promql("min(redis_aof_last_write_status)"),
            Limits(1, 1, "high"),
        ),
        number(
            "Evicted in an hour",
            "Keys that were dropped for want of memory.",
            "none",
            Promql("sum(increase(redis_evicted_keys_total[1h]))"),
            Limits(1, 1000),
        ),
        graph(
            "Commands",
            "Each second.",
            "ops",
            Promql("sum(rate(redis_commands_processed_total[$__rate_interval]))", "commands"),
        ),
        graph(
            "Hits",
            "Share of reads that found their key.",
            "percentunit",
            Promql(f"{hits} / ({hits} + {misses} > 0)", "hits"),
            maximum=1,
        ),
    ]


def _nats(view: View) -> list[Panel]:
    shares = ["jetstream_server_total_message_bytes / (jetstream_server_max_storage > 0)"]
    shares += [
        f'jetstream_stream_total_bytes{{stream_name="{name}"}} / {limit}' for name, limit in view.streams.items()
    ]
    return [
        number(
            "Messages waiting",
            "Messages that a consumer has not had yet.",
            "none",
            Promql("max(jetstream_consumer_num_pending) or vector(0)"),
            Limits(1000, 10000),
        ),
        number(
            "Slow consumers",
            "Connections that cannot keep up.",
            "none",
            Promql("sum(gnatsd_varz_slow_consumers) or vector(0)"),
            Limits(1, 3),
        ),
        number(
            "Storage used",
            "Share of its limit that the fullest stream has, or all streams have of the fullest server's storage.",
            "percentunit",
            Promql(f"max({' or '.join(shares)})"),
            Limits(0.8, 0.95),
        ),
        number(
            "Redelivered",
            "Messages that a consumer has had more than once.",
            "none",
            Promql("max(jetstream_consumer_num_redelivered) or vector(0)"),
            Limits(10, 100),
        ),
        graph(
            "Messages kept",
            "By stream.",
            "none",
            Promql("max by (stream_name) (jetstream_stream_total_messages)", "{{stream_name}}"),
        ),
        graph(
            "Waiting",
            "By consumer.",
            "none",
            Promql("max by (consumer_name) (jetstream_consumer_num_pending)", "{{consumer_name}}"),
        ),
    ]
