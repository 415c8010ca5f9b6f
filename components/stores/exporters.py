"""Exporters in the pods of stores: metrics of each server.

Sidecars rather than pods of their own, because every server counts by itself, and the way to it stays inside the pod.
"""

from typing import Any

import pulumi

from components.settings.prometheus import ExporterSettings
from components.stores.nats import configuration as nats_configuration
from components.traffic.observers import NATS_METRICS_PORT, REDIS_METRICS_PORT
from components.traffic.stores import REDIS_PORT
from components.workloads.exporter import exporter_sidecar
from components.workloads.passwords import secret_value

REDIS_EXPORTER_USER = "exporter"
"""User of Redis who may ask the server about itself, and nothing else."""

REDIS_EXPORTER_VARIABLE = "REDIS_EXPORTER_PASSWORD"


def redis_exporter(settings: ExporterSettings, secret: pulumi.Input[str]) -> dict[str, Any]:
    """Exporter in the pod of a Redis server."""
    environment = {
        "REDIS_ADDR": f"redis://127.0.0.1:{REDIS_PORT}",
        "REDIS_USER": REDIS_EXPORTER_USER,
        "REDIS_PASSWORD": secret_value(secret, REDIS_EXPORTER_VARIABLE),
        # Its user may neither read the configuration nor name its connection.
        "REDIS_EXPORTER_CONFIG_COMMAND": "-",
        "REDIS_EXPORTER_SET_CLIENT_NAME": "false",
    }
    command = ("/redis_exporter", f"--web.listen-address=:{REDIS_METRICS_PORT}")
    return exporter_sidecar(settings, command, REDIS_METRICS_PORT, environment)


def nats_exporter(settings: ExporterSettings) -> dict[str, Any]:
    """Exporter in the pod of a NATS server."""
    command = (
        "/prometheus-nats-exporter",
        f"-port={NATS_METRICS_PORT}",
        "-varz",
        "-jsz=all",
        "-use_internal_server_name",
        f"http://127.0.0.1:{nats_configuration.MONITORING_PORT}",
    )
    return exporter_sidecar(settings, command, NATS_METRICS_PORT, {})
