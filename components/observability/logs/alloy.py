"""Alloy of a stack: one pod that reads the logs of all others through the API server, and takes what they send."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.kubernetes.naming import HTTP_PORT_NAME
from components.kubernetes.object import Manifest
from components.observability.logs import alloy_configuration as configuration
from components.observability.logs import loki as loki_objects
from components.settings import PlatformSettings
from components.settings.alloy import AlloySettings
from components.settings.loki import LokiSettings
from components.stack.configuration import StackConfiguration
from components.traffic.graph import ServiceGraph
from components.traffic.network_policy import IngressController
from components.traffic.observers import (
    ALLOY,
    ALLOY_PORT,
    OTLP_GRPC_PORT,
    OTLP_HTTP_PORT,
    PROMETHEUS_PORT,
    PROMETHEUS_SERVICE,
    takes_metrics,
)
from components.workloads.component import StoreComponent
from components.workloads.container import ContainerArgs, container
from components.workloads.pod import PodArgs
from components.workloads.pod_set import PodSet, pod_set

NAME = ALLOY
_COMPONENT = "logs"
_USER = 10001
_GRACE_SECONDS = 60
_CONFIGURATION = "/etc/alloy"
_DATA = "/var/lib/alloy"
_FILE = "config.alloy"
_PORTS = {"otlp-http": OTLP_HTTP_PORT, "otlp-grpc": OTLP_GRPC_PORT}


def environment() -> dict[str, str]:
    """How a program with an OpenTelemetry SDK finds Alloy: the SDK's own variable."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{NAME}:{OTLP_HTTP_PORT}"}


def collectors(platform: PlatformSettings) -> PodSet:
    """Names and labels of the pod's objects."""
    return pod_set(platform, NAME, _COMPONENT, in_mesh=True)


class Alloy(StoreComponent):
    """The pod with its configuration, its rights to read logs, its Service and NetworkPolicy.

    Owns what is read and where it goes. Does not own what becomes of it there.
    """

    def __init__(
        self, stack: StackConfiguration, alloy: AlloySettings, graph: ServiceGraph, namespace: pulumi.Resource
    ) -> None:
        super().__init__("alt-las:observability:Alloy", NAME, stack.platform, namespace)
        platform, objects = stack.platform, collectors(stack.platform)
        content = configuration_content(platform, pulumi.get_stack())
        before = [
            self._register(NAME, objects.service_account()),
            *(self._register(NAME, each) for each in objects.reader_role(_RULES)),
            self._register(f"{NAME}-configuration", objects.config_map(content)),
            self._register(NAME, objects.declared_policy(graph, IngressController.of(platform.ingress))),
        ]
        self._register(NAME, objects.disruption_budget())
        self._register(NAME, objects.client_service(_PORTS))
        self._register(NAME, deployment(alloy, platform, content), *before, awaited=True)
        self.register_outputs({})


def pipeline(
    platform: PlatformSettings, loki: LokiSettings, alloy: AlloySettings, stack: str
) -> configuration.Pipeline:
    """What the settings make of Alloy."""
    return configuration.Pipeline(
        namespace=platform.namespace,
        phase=stack,
        labels=loki.stream_labels,
        loki=loki_objects.url(),
        memory_mebibytes=alloy.resources.limits.memory_mebibytes,
        max_streams=loki.limits.max_streams,
        remote_write=f"http://{PROMETHEUS_SERVICE}:{PROMETHEUS_PORT}/api/v1/write" if takes_metrics(platform) else None,
    )


def configuration_content(platform: PlatformSettings, stack: str) -> dict[str, str]:
    """What the ConfigMap holds; nothing without Loki, which the settings do not allow."""
    if platform.alloy is None or platform.loki is None:
        return {}
    return {_FILE: configuration.configuration_file(pipeline(platform, platform.loki, platform.alloy, stack))}


_RULES = [{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list", "watch"]}]
"""Read pods and their logs, in this namespace, and nothing else."""


def deployment(alloy: AlloySettings, platform: PlatformSettings, content: Mapping[str, str]) -> Manifest:
    """One pod; two for the time of a rollout, of whose equal lines Loki keeps one."""
    objects = collectors(platform)
    pod = PodArgs(
        version=alloy.image.tag,
        user=_USER,
        containers=[_collector(alloy)],
        volumes=[
            {"name": "configuration", "configMap": {"name": objects.configuration_name(content)}},
            {"name": "data", "emptyDir": {"sizeLimit": alloy.scratch_size}},
        ],
        grace_period_seconds=_GRACE_SECONDS,
        token=True,
    )
    return objects.deployment(1, pod)


def _collector(alloy: AlloySettings) -> dict[str, Any]:
    def listening(failures: int, port: str = "otlp-http") -> dict[str, Any]:
        # The listeners open when the whole configuration has been taken. In a mesh probes reach no other ports.
        answer = {"port": port}
        return {"tcpSocket": answer, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": failures}

    return container(
        ContainerArgs(
            name=NAME,
            image=alloy.image.reference,
            command=(
                "/bin/alloy",
                "run",
                f"{_CONFIGURATION}/{_FILE}",
                f"--server.http.listen-addr=0.0.0.0:{ALLOY_PORT}",
                f"--storage.path={_DATA}",
                "--disable-reporting",
            ),
            resources=alloy.resources,
            ports={**_PORTS, HTTP_PORT_NAME: ALLOY_PORT},
            mounts={_DATA: "data", _CONFIGURATION: "configuration:ro"},
            further={
                "startupProbe": listening(30),
                "readinessProbe": listening(3),
                "livenessProbe": listening(6, "otlp-grpc"),
                "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
            },
        )
    )
