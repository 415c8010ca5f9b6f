"""Exporters: pods, and sidecars of stores, that show metrics. Owns neither what they export nor who reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.settings.image import ImageSettings
from components.settings.prometheus import ExporterSettings
from components.settings.workload import ResourceSettings
from components.traffic.observers import METRICS_PORT_NAME
from components.workloads.container import ContainerArgs, container, sleep_before_stop
from components.workloads.pod import PodArgs

_GRACE_SECONDS = 30
_SIDECAR = "exporter"
_STOP_SECONDS = 2


@dataclass(frozen=True, kw_only=True)
class ExporterArgs:
    """One exporter.

    Attributes:
        name: Name of the container.
        image: Image of the container.
        user: Numeric user.
        command: Program and arguments.
        resources: Requests and limits.
        port: TCP port of its metrics.
        health_path: Path that answers 200 while it works.
        environment: Plain environment variables.
        mounts: Volumes by the path they are mounted at.
        volumes: Volumes of the pod.
        token: Whether it asks the API server.
    """

    name: str
    image: ImageSettings
    user: int
    command: Sequence[str]
    resources: ResourceSettings
    port: int
    health_path: str
    environment: Mapping[str, Any] = field(default_factory=dict)
    mounts: Mapping[str, str] = field(default_factory=dict)
    volumes: Sequence[Mapping[str, Any]] = ()
    token: bool = False


def exporter_pod(args: ExporterArgs) -> PodArgs:
    """The pod of an exporter: one container, which keeps nothing."""
    server = ContainerArgs(
        name=args.name,
        image=args.image.reference,
        command=args.command,
        resources=args.resources,
        ports={METRICS_PORT_NAME: args.port},
        environment=args.environment,
        mounts=args.mounts,
        further=_pod_checks(args.health_path),
    )
    return PodArgs(
        version=args.image.tag,
        user=args.user,
        containers=[container(server)],
        volumes=args.volumes,
        grace_period_seconds=_GRACE_SECONDS,
        token=args.token,
    )


def exporter_sidecar(
    exporter: ExporterSettings, command: Sequence[str], port: int, environment: Mapping[str, Any]
) -> dict[str, Any]:
    """The container of an exporter in the pod of a server: every server counts by itself, inside its own pod."""
    is_open = {"tcpSocket": {"port": METRICS_PORT_NAME}, "periodSeconds": 10}
    answer = {"httpGet": {"path": "/metrics", "port": METRICS_PORT_NAME}, "periodSeconds": 30, "timeoutSeconds": 10}
    return container(
        ContainerArgs(
            name=_SIDECAR,
            image=exporter.image.reference,
            command=command,
            resources=exporter.resources,
            ports={METRICS_PORT_NAME: port},
            environment=environment,
            # Ready as soon as it listens: a server whose exporter fails still serves, and an alert reports it.
            further={
                "startupProbe": {**is_open, "failureThreshold": 12},
                "readinessProbe": is_open,
                "livenessProbe": {**answer, "failureThreshold": 6},
                **sleep_before_stop(_STOP_SECONDS),
            },
        )
    )


def _pod_checks(path: str) -> dict[str, Any]:
    healthy = {"httpGet": {"path": path, "port": METRICS_PORT_NAME}, "periodSeconds": 10, "timeoutSeconds": 3}
    return {
        "startupProbe": {**healthy, "failureThreshold": 12},
        "readinessProbe": {**healthy, "failureThreshold": 3},
        # A slow answer is no reason for a restart.
        "livenessProbe": {"tcpSocket": {"port": METRICS_PORT_NAME}, "periodSeconds": 10, "failureThreshold": 6},
        **sleep_before_stop(_STOP_SECONDS),
    }
