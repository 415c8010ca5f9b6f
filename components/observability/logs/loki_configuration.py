"""Loki's configuration: one process, the TSDB index of schema v13, retention by the compactor. Pure functions.

Every key is checked in the tests: against a list of Loki's keys, and by `loki -verify-config` where Loki is installed.
"""

import json
from dataclasses import dataclass
from typing import Any

from components.settings.loki import LokiObjectStoreSettings, LokiSettings
from components.traffic.observers import LOKI_PORT

FIRST_DAY = "2025-01-01"
"""First day of the schema; no log of the platform is older."""

FOLDER, CA_FILE = "/etc/loki", "ca.crt"
"""Folder of the configuration in the pod, and the certificates of a private CA in it."""

_GRPC_PORT = 9095
_INDEX_HOURS = 24
_DELETE_DELAY_HOURS = 2
_COMPACTION_MINUTES = 10
_REPLAY_SHARE = 0.5
_LABELS_OF_A_STREAM = 15
_LABEL_VALUE_CHARACTERS = 256


@dataclass(frozen=True)
class LokiPlace:
    """Files and addresses of a server; a test gives another place than a pod.

    Attributes:
        data: Folder of everything that it writes.
        host: Address on which it listens.
        port: TCP port on which it answers HTTP.
        grpc_host: Address on which its parts talk to each other.
        grpc_port: TCP port on which they do.
    """

    data: str = "/var/lib/loki"
    host: str = "0.0.0.0"  # noqa: S104  # a pod listens on its own address
    port: int = LOKI_PORT
    grpc_host: str = "127.0.0.1"
    grpc_port: int = _GRPC_PORT


def configuration_file(loki: LokiSettings, place: LokiPlace | None = None) -> str:
    """The configuration as JSON, which is YAML, too."""
    return json.dumps(configuration(loki, place or LokiPlace()), indent=2) + "\n"


def configuration(loki: LokiSettings, place: LokiPlace) -> dict[str, Any]:
    """The whole configuration."""
    kept = "s3" if loki.object_store else "filesystem"
    return {
        "auth_enabled": False,
        "analytics": {"reporting_enabled": False},
        "server": {
            "http_listen_address": place.host,
            "http_listen_port": place.port,
            "grpc_listen_address": place.grpc_host,
            "grpc_listen_port": place.grpc_port,
            "log_level": "info",
            "log_format": "json",
        },
        "common": {
            "path_prefix": place.data,
            "replication_factor": 1,
            # One server needs nobody to agree with.
            "instance_addr": place.grpc_host,
            "ring": {"kvstore": {"store": "inmemory"}},
        },
        "schema_config": {"configs": _schemas(loki)},
        "storage_config": _storage(loki, place),
        "ingester": {
            "chunk_encoding": "snappy",
            "wal": {
                "dir": f"{place.data}/wal",
                "flush_on_shutdown": True,
                "replay_memory_ceiling": f"{int(loki.memory_target_mebibytes * _REPLAY_SHARE)}MB",
            },
        },
        "compactor": {
            "working_directory": f"{place.data}/compactor",
            "retention_enabled": True,
            "retention_delete_delay": f"{_DELETE_DELAY_HOURS}h",
            "compaction_interval": f"{_COMPACTION_MINUTES}m",
            "delete_request_store": kept,
        },
        "limits_config": _limits(loki),
    }


def _schemas(loki: LokiSettings) -> list[dict[str, Any]]:
    first = [_schema(FIRST_DAY, "filesystem")]
    # What was written before the move to the bucket is still found where it was written.
    return first + ([_schema(loki.object_store.since, "s3")] if loki.object_store else [])


def _schema(day: str, object_store: str) -> dict[str, Any]:
    index = {"prefix": "index_", "period": f"{_INDEX_HOURS}h"}
    return {"from": day, "store": "tsdb", "object_store": object_store, "schema": "v13", "index": index}


def _storage(loki: LokiSettings, place: LokiPlace) -> dict[str, Any]:
    index = {"active_index_directory": f"{place.data}/index", "cache_location": f"{place.data}/index-cache"}
    storage: dict[str, Any] = {"tsdb_shipper": index, "filesystem": {"directory": f"{place.data}/chunks"}}
    return storage | ({"aws": _s3(loki.object_store)} if loki.object_store else {})


def _s3(store: LokiObjectStoreSettings) -> dict[str, Any]:
    # The keys are no part of it: the client finds them in the environment.
    return {
        "endpoint": store.endpoint,
        "bucketnames": store.bucket,
        "region": store.region,
        "s3forcepathstyle": True,
        **({"http_config": {"ca_file": f"{FOLDER}/{CA_FILE}"}} if store.endpoint_ca else {}),
    }


def _limits(loki: LokiSettings) -> dict[str, Any]:
    hours = loki.retention_days * 24
    limits = loki.limits
    return {
        "retention_period": f"{hours}h",
        "reject_old_samples": True,
        "reject_old_samples_max_age": f"{hours}h",
        "max_query_lookback": f"{hours}h",
        "max_query_length": f"{hours}h",
        "ingestion_rate_mb": limits.ingestion_rate_mebibytes,
        "ingestion_burst_size_mb": limits.ingestion_burst_mebibytes,
        "per_stream_rate_limit": f"{limits.ingestion_rate_mebibytes}MB",
        "per_stream_rate_limit_burst": f"{limits.ingestion_burst_mebibytes}MB",
        "max_global_streams_per_user": limits.max_streams,
        "max_line_size": f"{limits.max_line_kibibytes}KB",
        "max_line_size_truncate": True,
        "max_label_names_per_series": _LABELS_OF_A_STREAM,
        "max_label_value_length": _LABEL_VALUE_CHARACTERS,
        "allow_structured_metadata": True,
        "volume_enabled": True,
        "discover_log_levels": True,
        # Streams have the declared labels and no others, whatever a sender adds.
        "discover_service_name": [],
        "otlp_config": {
            "resource_attributes": {
                "ignore_defaults": True,
                "attributes_config": [{"action": "index_label", "attributes": list(loki.stream_labels)}],
            }
        },
    }
