"""Keys of Loki 3.7 that this project sets, and the form of each value.

Owns what can be checked of a Loki configuration without Loki. Does not own whether Loki accepts it: Loki itself says
that where it is installed (test_logs.py), and each key here was accepted by `loki -verify-config` 3.7.8.
"""

import re
from collections.abc import Iterator
from typing import Any

_DURATION = re.compile(r"\d+(ms|[smh])")
_BYTES = re.compile(r"\d+(KB|MB|GB)")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_PATH = re.compile(r"/.+")

KEYS: dict[str, Any] = {
    "auth_enabled": bool,
    "analytics": {"reporting_enabled": bool},
    "server": {
        "http_listen_address": str,
        "http_listen_port": int,
        "grpc_listen_address": str,
        "grpc_listen_port": int,
        "log_level": re.compile("debug|info|warn|error"),
        "log_format": re.compile("logfmt|json"),
    },
    "common": {
        "path_prefix": _PATH,
        "replication_factor": int,
        "instance_addr": str,
        "ring": {"kvstore": {"store": re.compile("inmemory|memberlist")}},
    },
    "schema_config": {
        "configs": [
            {
                "from": _DAY,
                "store": re.compile("tsdb"),
                "object_store": re.compile("filesystem|s3"),
                "schema": re.compile("v13"),
                "index": {"prefix": str, "period": re.compile("24h")},
            }
        ]
    },
    "storage_config": {
        "tsdb_shipper": {"active_index_directory": _PATH, "cache_location": _PATH},
        "filesystem": {"directory": _PATH},
        "aws": {
            "endpoint": str,
            "bucketnames": str,
            "region": str,
            "s3forcepathstyle": bool,
            "http_config": {"ca_file": _PATH},
        },
    },
    "ingester": {
        "chunk_encoding": re.compile("snappy|gzip|zstd|none"),
        "wal": {"dir": _PATH, "flush_on_shutdown": bool, "replay_memory_ceiling": _BYTES},
    },
    "compactor": {
        "working_directory": _PATH,
        "retention_enabled": bool,
        "retention_delete_delay": _DURATION,
        "compaction_interval": _DURATION,
        "delete_request_store": re.compile("filesystem|s3"),
    },
    "limits_config": {
        "retention_period": _DURATION,
        "reject_old_samples": bool,
        "reject_old_samples_max_age": _DURATION,
        "max_query_lookback": _DURATION,
        "max_query_length": _DURATION,
        "ingestion_rate_mb": int,
        "ingestion_burst_size_mb": int,
        "per_stream_rate_limit": _BYTES,
        "per_stream_rate_limit_burst": _BYTES,
        "max_global_streams_per_user": int,
        "max_line_size": _BYTES,
        "max_line_size_truncate": bool,
        "max_label_names_per_series": int,
        "max_label_value_length": int,
        "allow_structured_metadata": bool,
        "volume_enabled": bool,
        "discover_log_levels": bool,
        "discover_service_name": [str],
        "otlp_config": {
            "resource_attributes": {
                "ignore_defaults": bool,
                "attributes_config": [{"action": re.compile("index_label"), "attributes": [str]}],
            }
        },
    },
}


def problems(value: Any, form: Any = KEYS, place: str = "") -> Iterator[str]:
    """Keys that are not known, and values of another form than their key takes."""
    if isinstance(form, dict) and isinstance(value, dict):
        for key, inner in value.items():
            where = f"{place}.{key}".lstrip(".")
            yield from problems(inner, form[key], where) if key in form else [f"{where} not found"]
    elif isinstance(form, list) and isinstance(value, list):
        for index, inner in enumerate(value):
            yield from problems(inner, form[0], f"{place}[{index}]")
    elif not _has_form(value, form):
        yield f"{place}: {value!r} is not accepted"


def _has_form(value: Any, form: Any) -> bool:
    if isinstance(form, re.Pattern):
        return isinstance(value, str) and form.fullmatch(value) is not None
    return isinstance(form, type) and type(value) is form
