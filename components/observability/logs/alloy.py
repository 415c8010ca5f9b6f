"""Alloy of a stack: one pod that reads the logs of all others through the API server, and receives OTLP."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pulumi

from components.kubernetes.naming import HTTP_PORT_NAME
from components.kubernetes.object import Manifest
from components.observability.logs import alloy_configuration as configuration
from components.observability.logs.loki import Loki
from components.observability.metrics.prometheus import Prometheus
from components.settings import PlatformSettings
from components.settings.alloy import AlloySettings
from components.settings.loki import LokiSettings
from components.traffic.observers import ALLOY, ALLOY_PORT, OTLP_GRPC_PORT, OTLP_HTTP_PORT
from components.workloads.component import ObjectComponent, Surroundings
from components.workloads.container import ContainerArgs, container
from components.workloads.pod import PodArgs
from components.workloads.pod_set import PodSet

NAME = ALLOY
_COMPONENT = "logs"
_USER = 10001
_GRACE_SECONDS = 60
_CONFIGURATION = "/etc/alloy"
_DATA = "/var/lib/alloy"
_FILE = "config.alloy"
_PORTS = {"otlp-http": OTLP_HTTP_PORT, "otlp-grpc": OTLP_GRPC_PORT}


_RULES = [{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list", "watch"]}]
"""Read pods and their logs, in the stack's namespace, and nothing else."""


@dataclass(frozen=True, kw_only=True)
class AlloyArgs:
    """Alloy of a stack.

    Attributes:
        surroundings: The stack around it.
        settings: Its image and resources.
        loki: Labels and limits of the streams that Loki takes.
        loki_url: Address of Loki.
        write_urls: Addresses of all servers that take the metrics which services send; empty for nobody.
    """

    surroundings: Surroundings
    settings: AlloySettings
    loki: LokiSettings
    loki_url: str
    write_urls: tuple[str, ...]

    @classmethod
    def of(
        cls, platform: PlatformSettings, surroundings: Surroundings, loki: Loki | None, prometheus: Prometheus | None
    ) -> Self | None:
        """Take from the settings of a stack what its Alloy needs; None where there is none."""
        if platform.alloy is None or platform.loki is None or loki is None:
            return None
        return cls(
            surroundings=surroundings,
            settings=platform.alloy,
            loki=platform.loki,
            loki_url=loki.url,
            write_urls=prometheus.write_urls if prometheus else (),
        )


class Alloy(ObjectComponent):
    """The pod with its configuration, its rights to read logs, its Service and NetworkPolicy.

    Owns what is read and where it goes. Does not own the servers that keep it.

    Attributes:
        otlp_endpoint: Address at which services send telemetry by OTLP over HTTP.
    """

    otlp_endpoint: str

    def __init__(self, name: str, args: AlloyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:observability:Alloy", name, args.surroundings, opts)
        pods = PodSet.of(args.surroundings, NAME, _COMPONENT, in_mesh=True)
        content = {_FILE: configuration.configuration_file(pipeline(args, pulumi.get_stack()))}
        before = [
            self._register(name, pods.service_account()),
            *(self._register(name, each) for each in pods.reader_role(_RULES)),
            self._register(f"{name}-configuration", pods.config_map(content)),
            self._register(name, pods.declared_policy(args.surroundings.graph, args.surroundings.controller)),
        ]
        self._register(name, pods.disruption_budget())
        self._register(name, pods.client_service(_PORTS))
        self._register(name, deployment(args.settings, pods, content), *before, awaited=True)
        self.otlp_endpoint = f"http://{NAME}:{OTLP_HTTP_PORT}"
        self.register_outputs({"otlp_endpoint": self.otlp_endpoint})


def pipeline(args: AlloyArgs, stack: str) -> configuration.Pipeline:
    """Pipeline of Alloy: what it reads, labels and sends."""
    return configuration.Pipeline(
        namespace=args.surroundings.namespace,
        phase=stack,
        labels=args.loki.stream_labels,
        loki=args.loki_url,
        memory_mebibytes=args.settings.resources.limits.memory_mebibytes,
        max_streams=args.loki.limits.max_streams,
        remote_write=args.write_urls,
    )


def deployment(alloy: AlloySettings, pods: PodSet, content: Mapping[str, str]) -> Manifest:
    """One pod; two for the time of a rollout, of whose equal lines Loki keeps one."""
    pod = PodArgs(
        version=alloy.image.tag,
        user=_USER,
        containers=[_collector(alloy)],
        volumes=[
            {"name": "configuration", "configMap": {"name": pods.configuration_name(content)}},
            {"name": "data", "emptyDir": {"sizeLimit": alloy.scratch_size}},
        ],
        grace_period_seconds=_GRACE_SECONDS,
        token=True,
    )
    return pods.deployment(1, pod)


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
                # Within the default of rollout.progressDeadlineSeconds, so that a start that fails is named as that.
                "startupProbe": listening(24),
                "readinessProbe": listening(3),
                "livenessProbe": listening(6, "otlp-grpc"),
                "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
            },
        )
    )
