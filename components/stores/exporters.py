"""Exporters that stand beside the servers of stores: what each server says about itself, as metrics.

Sidecars rather than pods of their own, because every server counts by itself, and the way to it stays inside the pod.
"""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.settings import PlatformSettings
from components.settings.prometheus import ExporterSettings
from components.stores.nats import configuration as nats_configuration
from components.stores.redis import configuration as redis_configuration
from components.traffic.observers import METRICS_PORT_NAME, NATS_METRICS_PORT, REDIS_METRICS_PORT
from components.workloads.container import ContainerArgs, container
from components.workloads.passwords import secret_value

REDIS_EXPORTER_USER = "exporter"
"""User of Redis who may ask the server about itself, and nothing else."""

REDIS_EXPORTER_VARIABLE = "REDIS_EXPORTER_PASSWORD"

_NAME = "exporter"


def redis_exporter(platform: PlatformSettings, secret: pulumi.Input[str]) -> list[dict[str, Any]]:
    """The exporter beside a Redis server; none without Prometheus."""
    if platform.prometheus is None:
        return []
    environment = {
        "REDIS_ADDR": f"redis://127.0.0.1:{redis_configuration.PORT}",
        "REDIS_USER": REDIS_EXPORTER_USER,
        "REDIS_PASSWORD": secret_value(secret, REDIS_EXPORTER_VARIABLE),
        # Its user may neither read the configuration nor name its connection.
        "REDIS_EXPORTER_CONFIG_COMMAND": "-",
        "REDIS_EXPORTER_SET_CLIENT_NAME": "false",
    }
    command = ("/redis_exporter", f"--web.listen-address=:{REDIS_METRICS_PORT}")
    return [_sidecar(platform.prometheus.exporters.redis, command, REDIS_METRICS_PORT, environment)]


def nats_exporter(platform: PlatformSettings) -> list[dict[str, Any]]:
    """The exporter beside a NATS server; none without Prometheus."""
    if platform.prometheus is None:
        return []
    command = (
        "/prometheus-nats-exporter",
        f"-port={NATS_METRICS_PORT}",
        "-varz",
        "-jsz=all",
        "-use_internal_server_name",
        f"http://127.0.0.1:{nats_configuration.MONITORING_PORT}",
    )
    return [_sidecar(platform.prometheus.exporters.nats, command, NATS_METRICS_PORT, {})]


def _sidecar(
    exporter: ExporterSettings, command: tuple[str, ...], port: int, environment: Mapping[str, Any]
) -> dict[str, Any]:
    is_open = {"tcpSocket": {"port": METRICS_PORT_NAME}, "periodSeconds": 10}
    answer = {"httpGet": {"path": "/metrics", "port": METRICS_PORT_NAME}, "periodSeconds": 30, "timeoutSeconds": 10}
    args = ContainerArgs(
        name=_NAME,
        image=exporter.image.reference,
        command=command,
        resources=exporter.resources,
        ports={METRICS_PORT_NAME: port},
        environment=environment,
        # Ready as soon as it listens: a server whose exporter finds nothing still serves, and an alert tells of it.
        further={
            "startupProbe": {**is_open, "failureThreshold": 12},
            "readinessProbe": is_open,
            "livenessProbe": {**answer, "failureThreshold": 6},
            "lifecycle": {"preStop": {"sleep": {"seconds": 2}}},
        },
    )
    return container(args)
