"""Loki of a stack: one server with a volume, reached by Alloy and Grafana."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pulumi

from components.kubernetes.naming import HTTP_PORT_NAME
from components.kubernetes.object import Manifest
from components.observability.logs import loki_configuration as configuration
from components.settings.loki import LokiSettings
from components.stack.configuration import StackConfiguration
from components.traffic.observers import LOKI, LOKI_PORT
from components.workloads.component import ObjectComponent, Surroundings
from components.workloads.container import ContainerArgs, container
from components.workloads.objects import DATA_VOLUME
from components.workloads.passwords import secret_value
from components.workloads.pod import PodArgs
from components.workloads.pod_set import ClaimArgs, PodSet

NAME = LOKI
S3_KEYS = {"AWS_ACCESS_KEY_ID": "lokiS3AccessKeyId", "AWS_SECRET_ACCESS_KEY": "lokiS3SecretAccessKey"}
"""Secret of the stack behind each variable in which the S3 client looks for its keys."""

URL = f"http://{NAME}:{LOKI_PORT}"
"""Address inside the namespace."""

_COMPONENT = "logs"
_USER = 10001
_GRACE_SECONDS = 300
"""Time to write down what is in memory."""
_CONFIGURATION = configuration.FOLDER
_FILE = "config.yaml"
_PORTS = {HTTP_PORT_NAME: LOKI_PORT}


@dataclass(frozen=True, kw_only=True)
class LokiArgs:
    """Loki of a stack.

    Attributes:
        surroundings: The stack around it.
        settings: Retention, limits and the server.
        credentials: Keys of the bucket by the variable in which the S3 client looks for them; empty without a bucket.
    """

    surroundings: Surroundings
    settings: LokiSettings
    credentials: Mapping[str, pulumi.Output[str]]

    @classmethod
    def of(cls, stack: StackConfiguration, surroundings: Surroundings) -> Self | None:
        """Take from the configuration of a stack what its Loki needs; None where there is none."""
        settings = stack.platform.loki
        if settings is None:
            return None
        keys = S3_KEYS if settings.object_store else {}
        credentials = {variable: stack.secrets[key] for variable, key in keys.items()}
        return cls(surroundings=surroundings, settings=settings, credentials=credentials)


class Loki(ObjectComponent):
    """The server with its volume, configuration, Services and NetworkPolicy.

    Owns retention and who reaches the server. Does not own the logs, nor who sends them.

    Attributes:
        url: Address inside the namespace.
    """

    url: str

    def __init__(self, name: str, args: LokiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:observability:Loki", name, args.surroundings, opts)
        pods = PodSet.of(args.surroundings, NAME, _COMPONENT)
        secret: pulumi.Input[str] | None = None
        if args.credentials:
            secret = self._register(f"{name}-secrets", pods.secret(pulumi.Output.all(**args.credentials))).metadata[
                "name"
            ]
        before = [
            self._register(name, pods.service_account()),
            self._register(f"{name}-configuration", pods.config_map(configuration_content(args.settings))),
            self._register(name, pods.declared_policy(args.surroundings.graph, args.surroundings.controller)),
        ]
        self._register(f"{name}-servers", pods.headless_service(_PORTS))
        self._register(name, pods.disruption_budget())
        self._register(name, pods.client_service(_PORTS))
        self._register(name, stateful_set(args.settings, pods, secret), *before, data=True, awaited=True)
        self.url = URL
        self.register_outputs({"url": self.url})


def configuration_content(loki: LokiSettings) -> dict[str, str]:
    """Data of the ConfigMap."""
    authority = loki.object_store.endpoint_ca if loki.object_store else None
    files = {_FILE: configuration.configuration_file(loki)}
    return files | ({configuration.CA_FILE: authority} if authority else {})


def stateful_set(loki: LokiSettings, pods: PodSet, secret: pulumi.Input[str] | None) -> Manifest:
    """One server; its volume stays when it goes."""
    config_map = pods.configuration_name(configuration_content(loki))
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
    return pods.stateful_set(1, pod, claim)


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
