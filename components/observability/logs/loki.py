"""Loki of a stack: one server with a volume, reached by who sends logs and by who shows them."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.kubernetes.naming import HTTP_PORT_NAME
from components.kubernetes.object import Manifest
from components.observability.logs import loki_configuration as configuration
from components.settings import PlatformSettings
from components.settings.loki import LokiSettings
from components.stack.configuration import StackConfiguration
from components.traffic.graph import ServiceGraph
from components.traffic.network_policy import IngressController
from components.traffic.observers import LOKI, LOKI_PORT
from components.workloads.component import StoreComponent
from components.workloads.container import ContainerArgs, container
from components.workloads.objects import DATA_VOLUME
from components.workloads.passwords import secret_value
from components.workloads.pod import PodArgs
from components.workloads.pod_set import ClaimArgs, PodSet, pod_set

NAME = LOKI
S3_KEYS = {"AWS_ACCESS_KEY_ID": "lokiS3AccessKeyId", "AWS_SECRET_ACCESS_KEY": "lokiS3SecretAccessKey"}
"""Secret of the stack behind each variable in which the S3 client looks for its keys."""

_COMPONENT = "logs"
_USER = 10001
_GRACE_SECONDS = 300
"""Time to write down what is in memory."""
_CONFIGURATION = "/etc/loki"
_FILE = "config.yaml"
_PORTS = {HTTP_PORT_NAME: LOKI_PORT}


def url() -> str:
    """Address inside the namespace."""
    return f"http://{NAME}:{LOKI_PORT}"


def servers(platform: PlatformSettings) -> PodSet:
    """Names and labels of the server's objects."""
    return pod_set(platform, NAME, _COMPONENT)


class Loki(StoreComponent):
    """The server with its volume, configuration, Services and NetworkPolicy.

    Owns how long logs are kept and who reaches them. Does not own the logs, nor who sends them.
    """

    def __init__(
        self, stack: StackConfiguration, loki: LokiSettings, graph: ServiceGraph, namespace: pulumi.Resource
    ) -> None:
        super().__init__("alt-las:observability:Loki", NAME, stack.platform, namespace)
        platform, objects = stack.platform, servers(stack.platform)
        secret: pulumi.Input[str] | None = None
        if loki.object_store:
            keys = pulumi.Output.all(**{name: stack.secrets[key] for name, key in S3_KEYS.items()})
            secret = self._register(f"{NAME}-secrets", objects.secret(keys)).metadata["name"]
        before = [
            self._register(NAME, objects.service_account()),
            self._register(f"{NAME}-configuration", objects.config_map(configuration_content(loki))),
            self._register(NAME, objects.declared_policy(graph, IngressController.of(platform.ingress))),
        ]
        self._register(objects.headless, objects.headless_service(_PORTS))
        self._register(NAME, objects.disruption_budget())
        self._register(NAME, objects.client_service(_PORTS))
        self._register(NAME, stateful_set(loki, platform, secret), *before, data=True, awaited=True)
        self.register_outputs({})


def configuration_content(loki: LokiSettings) -> dict[str, str]:
    """What the ConfigMap holds."""
    return {_FILE: configuration.configuration_file(loki)}


def stateful_set(loki: LokiSettings, platform: PlatformSettings, secret: pulumi.Input[str] | None) -> Manifest:
    """One server; its volume stays when it goes."""
    objects = servers(platform)
    config_map = objects.configuration_name(configuration_content(loki))
    pod = PodArgs(
        version=loki.image.tag,
        user=_USER,
        containers=[_server(loki, secret)],
        volumes=[
            {"name": "configuration", "configMap": {"name": config_map}},
            {"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
        grace_period_seconds=_GRACE_SECONDS,
    )
    claim = ClaimArgs(
        size=loki.storage_size,
        storage_class=loki.storage_class,
    )
    return objects.stateful_set(1, pod, claim)


def _server(loki: LokiSettings, secret: pulumi.Input[str] | None) -> dict[str, Any]:
    environment: dict[str, Any] = {"GOMEMLIMIT": f"{loki.memory_target_mebibytes}MiB"}
    if secret is not None:
        environment |= {name: secret_value(secret, name) for name in S3_KEYS}
    return container(
        ContainerArgs(
            name=NAME,
            image=loki.image.reference,
            command=("/usr/bin/loki", f"-config.file={_CONFIGURATION}/{_FILE}", "-target=all"),
            resources=loki.resources,
            ports=_PORTS,
            environment=environment,
            mounts={
                configuration.LokiPlace().data: DATA_VOLUME,
                _CONFIGURATION: "configuration:ro",
                "/tmp": "scratch",  # noqa: S108  # a mount path
            },
            further=_probes(),
        )
    )


def _probes() -> Mapping[str, Any]:
    def ready(failures: int) -> dict[str, Any]:
        answer = {"path": "/ready", "port": HTTP_PORT_NAME}
        return {"httpGet": answer, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": failures}

    return {
        # A server that reads a long write-ahead log is neither ready nor dead, so it gets ten minutes for it.
        "startupProbe": ready(60),
        "readinessProbe": ready(3),
        # /ready also says no while others are waited for; a restart would not help them.
        "livenessProbe": {
            "tcpSocket": {"port": HTTP_PORT_NAME},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    }
