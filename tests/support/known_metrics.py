"""The metrics that exporters of a stack have: the one list against which rules and dashboards are checked.

A name that stands here was read in the source or the documentation of its exporter; `source` says where. What no
exporter of the stack has must not be added, or a rule or a panel would stay empty and nothing would say so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from components.observability.alerts.slo import recording_rules
from components.settings import PlatformSettings

MetricType = Literal["counter", "gauge", "histogram", "summary", "info"]

_SERIES_OF: Mapping[str, tuple[str, ...]] = {
    "histogram": ("_bucket", "_count", "_sum"),
    "summary": ("", "_count", "_sum"),
}


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        name: Its name, without the suffixes of a histogram's series.
        type: Its type.
        exporter: Who exports it.
        source: Where its name was read.
    """

    name: str
    type: MetricType
    exporter: str
    source: str

    @property
    def series(self) -> tuple[str, ...]:
        """Names of the series that a query can ask for."""
        return tuple(f"{self.name}{suffix}" for suffix in _SERIES_OF.get(self.type, ("",)))


_POSTGRES = "cloudnative-pg@v1.30.0 config/manager/default-monitoring.yaml, metricserver/pg_collector.go"
_REDIS = "oliver006/redis_exporter exporter/exporter.go"
_NATS = "nats-io/prometheus-nats-exporter collector/jsz.go; varz fields of nats-server"
_KUBE_STATE = "kubernetes/kube-state-metrics docs/metrics/workload"
_GATEWAY = "krozenking/ALT_LAS api-gateway/src/utils/monitoring.ts; prom-client default metrics"
_BLACKBOX = "blackbox_exporter@v0.27.0 prober/*.go"
_KUBELET = "Kubernetes metrics reference, kubelet"
_PROMETHEUS = "prometheus@v0.307.3, asked of the running program by the tests"
_ALERTMANAGER = "alertmanager@v0.28.1, asked of the running program by the tests"
_BACKUP = "backup/metrics.py"
_LEDGER = "altlas/release/dora.py"
_LOKI = "loki@v3.7.8, asked of the running program by the tests"
_ALLOY = "alloy@v1.18.1, asked of the running program by the tests; failures of exporters: collector exporterhelper"

_TABLE: tuple[tuple[str, str, MetricType, str, str], ...] = (
    ("prometheus", _PROMETHEUS, "gauge", "", "up ALERTS ALERTS_FOR_STATE scrape_duration_seconds"),
    ("prometheus", _PROMETHEUS, "gauge", "", "scrape_samples_scraped scrape_samples_post_metric_relabeling"),
    ("prometheus", _PROMETHEUS, "gauge", "", "scrape_series_added"),
    (
        "prometheus",
        _PROMETHEUS,
        "gauge",
        "prometheus_",
        "build_info config_last_reload_successful config_last_reload_success_timestamp_seconds "
        "notifications_alertmanagers_discovered notifications_queue_capacity notifications_queue_length "
        "tsdb_head_series tsdb_storage_blocks_bytes tsdb_retention_limit_bytes tsdb_head_chunks ready "
        "rule_group_last_duration_seconds rule_group_interval_seconds rule_group_last_evaluation_timestamp_seconds",
    ),
    (
        "prometheus",
        _PROMETHEUS,
        "counter",
        "prometheus_",
        "rule_evaluation_failures_total rule_evaluations_total notifications_dropped_total notifications_errors_total "
        "notifications_sent_total tsdb_compactions_failed_total tsdb_wal_corruptions_total "
        "tsdb_head_samples_appended_total target_scrapes_exceeded_sample_limit_total "
        "rule_group_iterations_missed_total tsdb_size_retentions_total http_requests_total",
    ),
    (
        "alertmanager",
        _ALERTMANAGER,
        "gauge",
        "alertmanager_",
        "alerts build_info config_last_reload_successful cluster_members silences notifications_total "
        "notifications_failed_total",
    ),
    ("loki", _LOKI, "histogram", "loki_", "request_duration_seconds"),
    (
        "loki",
        _LOKI,
        "counter",
        "loki_",
        "discarded_samples_total distributor_lines_received_total ingester_wal_disk_full_failures_total",
    ),
    ("loki", _LOKI, "gauge", "loki_", "build_info ingester_memory_streams"),
    ("alloy", _ALLOY, "gauge", "alloy_", "component_controller_running_components"),
    (
        "alloy",
        _ALLOY,
        "counter",
        "",
        "loki_write_sent_entries_total loki_write_dropped_entries_total loki_write_batch_retries_total "
        "otelcol_exporter_sent_log_records_total otelcol_exporter_send_failed_log_records_total "
        "otelcol_exporter_enqueue_failed_log_records_total",
    ),
    ("blackbox-exporter", _BLACKBOX, "gauge", "probe_", "success duration_seconds http_status_code"),
    ("blackbox-exporter", _BLACKBOX, "gauge", "probe_", "http_duration_seconds ssl_earliest_cert_expiry http_ssl"),
    ("api-gateway", _GATEWAY, "histogram", "", "http_request_duration_ms nodejs_gc_duration_seconds"),
    ("api-gateway", _GATEWAY, "counter", "", "critical_errors_total process_cpu_seconds_total"),
    (
        "api-gateway",
        _GATEWAY,
        "gauge",
        "",
        "process_resident_memory_bytes process_start_time_seconds process_open_fds nodejs_eventloop_lag_seconds "
        "nodejs_eventloop_lag_p99_seconds nodejs_heap_size_used_bytes nodejs_heap_size_total_bytes nodejs_version_info",
    ),
    (
        "cloudnative-pg",
        _POSTGRES,
        "gauge",
        "cnpg_",
        "collector_up collector_last_collection_error collector_sync_replicas collector_pg_wal "
        "collector_pg_wal_archive_status collector_fencing_on collector_nodes_used collector_postgres_version "
        "collector_collection_duration_seconds collector_first_recoverability_point "
        "collector_last_available_backup_timestamp collector_last_failed_backup_timestamp "
        "backends_total backends_max_tx_duration_seconds backends_waiting_total pg_database_size_bytes "
        "pg_database_xid_age pg_postmaster_start_time pg_replication_lag pg_replication_in_recovery "
        "pg_replication_is_wal_receiver_up pg_replication_streaming_replicas pg_replication_slots_active "
        "pg_replication_slots_pg_wal_lsn_diff pg_stat_archiver_seconds_since_last_archival "
        "pg_stat_archiver_seconds_since_last_failure pg_stat_replication_replay_lag_seconds "
        "pg_stat_replication_replay_diff_bytes pg_settings_setting",
    ),
    (
        "cloudnative-pg",
        _POSTGRES,
        "counter",
        "cnpg_",
        "collector_collection_errors_total pg_stat_archiver_archived_count pg_stat_archiver_failed_count "
        "pg_stat_database_xact_commit pg_stat_database_xact_rollback pg_stat_database_blks_read "
        "pg_stat_database_blks_hit pg_stat_database_tup_returned pg_stat_database_tup_fetched "
        "pg_stat_database_tup_inserted pg_stat_database_tup_updated pg_stat_database_tup_deleted "
        "pg_stat_database_deadlocks pg_stat_database_temp_bytes pg_stat_checkpointer_checkpoints_timed "
        "pg_stat_checkpointer_checkpoints_req",
    ),
    (
        "redis_exporter",
        _REDIS,
        "gauge",
        "redis_",
        "up instance_info start_time_seconds uptime_in_seconds connected_clients blocked_clients memory_used_bytes "
        "memory_max_bytes memory_fragmentation_ratio connected_slaves master_link_up master_last_io_seconds_ago "
        "master_repl_offset slave_repl_offset connected_slave_lag_seconds aof_current_size_bytes "
        "aof_last_write_status aof_last_bgrewrite_status db_keys db_keys_expiring slowlog_length "
        "exporter_last_scrape_error",
    ),
    (
        "redis_exporter",
        _REDIS,
        "counter",
        "redis_",
        "commands_processed_total connections_received_total rejected_connections_total keyspace_hits_total "
        "keyspace_misses_total evicted_keys_total expired_keys_total net_input_bytes_total net_output_bytes_total "
        "cpu_sys_seconds_total cpu_user_seconds_total",
    ),
    (
        "prometheus-nats-exporter",
        _NATS,
        "gauge",
        "",
        "gnatsd_varz_connections gnatsd_varz_mem gnatsd_varz_cpu gnatsd_varz_slow_consumers gnatsd_varz_in_msgs "
        "gnatsd_varz_out_msgs gnatsd_varz_in_bytes gnatsd_varz_out_bytes gnatsd_varz_subscriptions "
        "gnatsd_varz_routes jetstream_server_jetstream_disabled jetstream_server_total_streams "
        "jetstream_server_total_consumers jetstream_server_total_messages jetstream_server_total_message_bytes "
        "jetstream_server_max_storage jetstream_server_max_memory jetstream_stream_total_messages "
        "jetstream_stream_total_bytes jetstream_stream_last_seq jetstream_stream_consumer_count "
        "jetstream_consumer_num_pending jetstream_consumer_num_ack_pending jetstream_consumer_num_redelivered "
        "jetstream_consumer_num_waiting",
    ),
    (
        "kube-state-metrics",
        _KUBE_STATE,
        "gauge",
        "kube_",
        "pod_info pod_status_phase pod_status_ready pod_container_status_waiting_reason "
        "pod_container_status_last_terminated_reason pod_container_resource_requests pod_container_resource_limits "
        "deployment_spec_replicas deployment_status_replicas deployment_status_replicas_available "
        "deployment_status_replicas_updated deployment_status_observed_generation deployment_metadata_generation "
        "statefulset_replicas statefulset_status_replicas statefulset_status_replicas_ready "
        "horizontalpodautoscaler_spec_max_replicas horizontalpodautoscaler_spec_min_replicas "
        "horizontalpodautoscaler_status_current_replicas horizontalpodautoscaler_status_desired_replicas "
        "horizontalpodautoscaler_status_condition "
        "resourcequota job_status_failed job_status_succeeded job_failed job_complete cronjob_status_active "
        "cronjob_status_last_schedule_time cronjob_status_last_successful_time cronjob_spec_suspend cronjob_info "
        "persistentvolumeclaim_status_phase persistentvolumeclaim_resource_requests_storage_bytes "
        "poddisruptionbudget_status_pod_disruptions_allowed",
    ),
    (
        "backup-metrics",
        _BACKUP,
        "gauge",
        "alt_las_backup_",
        "dump_success dump_last_success_timestamp_seconds scheduled_since_timestamp_seconds dump_size_bytes "
        "dump_duration_seconds recovery_point_objective_seconds drill_success drill_last_success_timestamp_seconds "
        "drill_recovery_point_seconds drill_recovery_time_seconds",
    ),
    (
        "altlas ledger metrics",
        _LEDGER,
        "gauge",
        "alt_las_delivery_",
        "change_lead_time_seconds deployment_frequency_per_week failed_deployment_recovery_time_seconds "
        "change_fail_rate_ratio deployment_rework_rate_ratio",
    ),
    ("kube-state-metrics", _KUBE_STATE, "counter", "kube_", "pod_container_status_restarts_total"),
    (
        "kubelet",
        _KUBELET,
        "gauge",
        "kubelet_volume_stats_",
        "available_bytes capacity_bytes used_bytes inodes_free inodes",
    ),
)


def exported_metrics() -> Iterator[Metric]:
    """Every metric that an exporter of a stack has, without those that rules record."""
    for exporter, source, kind, prefix, names in _TABLE:
        for name in names.split():
            yield Metric(name=f"{prefix}{name}", type=kind, exporter=exporter, source=source)


def series_of(platform: PlatformSettings) -> frozenset[str]:
    """Names of all series that a rule or a dashboard of a stack may ask for: what is exported and what is recorded."""
    recorded = dict.fromkeys(str(rule["record"]) for rule in recording_rules(platform))
    return frozenset(recorded) | {name for metric in exported_metrics() for name in metric.series}
