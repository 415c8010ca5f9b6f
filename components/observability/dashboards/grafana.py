"""Grafana of a stack: one pod that shows what Prometheus and Loki keep, all of it provisioned."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.kubernetes.naming import HTTP_PORT_NAME
from components.kubernetes.object import Manifest
from components.observability.dashboards import grafana_configuration as configuration
from components.settings import PlatformSettings
from components.settings.grafana import GrafanaSettings
from components.stack.configuration import StackConfiguration
from components.traffic.graph import ServiceGraph
from components.traffic.network_policy import IngressController
from components.traffic.observers import GRAFANA, GRAFANA_PORT
from components.workloads.component import StoreComponent
from components.workloads.container import ContainerArgs, container
from components.workloads.pod import PodArgs
from components.workloads.pod_set import PodSet, pod_set

NAME = GRAFANA
PASSWORD_KEY = "grafanaAdminPassword"  # noqa: S105  # the name of a configuration key
SECRET_KEY = "grafanaSecretKey"  # noqa: S105  # the name of a configuration key

_COMPONENT = "dashboards"
_USER = 10001
_GRACE_SECONDS = 30
_SETTINGS = "/etc/grafana/settings"
_PORTS = {HTTP_PORT_NAME: GRAFANA_PORT}
_MAIN, _DATASOURCES, _PROVIDERS = "grafana.ini", "datasources.yaml", "providers.yaml"
_LARGEST = 1000 * 1024
"""Bytes that a ConfigMap may hold, with room for its own fields (Kubernetes: 1 MiB)."""


@dataclass(frozen=True)
class Shown:
    """What Grafana shows.

    Attributes:
        sources: Where it gets data from; the first is the one that is asked where nothing else is said.
        dashboards: Dashboards as Grafana reads them, by identifier.
    """

    sources: Sequence[configuration.Source]
    dashboards: Mapping[str, Mapping[str, Any]]


class Grafana(StoreComponent):
    """The pod with its settings, datasources, dashboards, password, Service and NetworkPolicy.

    Owns what is shown. Does not own the data, nor the accounts that people make in it: those go with the pod.
    """

    def __init__(
        self,
        stack: StackConfiguration,
        grafana: GrafanaSettings,
        graph: ServiceGraph,
        namespace: pulumi.Resource,
        shown: Shown,
    ) -> None:
        super().__init__("alt-las:observability:Grafana", NAME, stack.platform, namespace)
        platform, objects = stack.platform, pods(stack.platform)
        content = configuration_content(grafana, shown)
        keys = pulumi.Output.all(
            **{
                configuration.PASSWORD_FILE: stack.secrets[PASSWORD_KEY],
                configuration.KEY_FILE: stack.secrets[SECRET_KEY],
            }
        )
        secret = self._register(f"{NAME}-secrets", objects.secret(keys)).metadata["name"]
        before = [
            self._register(NAME, objects.service_account()),
            self._register(f"{NAME}-configuration", objects.config_map(content)),
            self._register(NAME, objects.declared_policy(graph, IngressController.of(platform.ingress))),
        ]
        self._register(NAME, objects.disruption_budget())
        self._register(NAME, objects.client_service(_PORTS))
        self._register(NAME, deployment(grafana, platform, content, secret), *before, awaited=True)
        self.register_outputs({})


def pods(platform: PlatformSettings) -> PodSet:
    """Names and labels of the pod's objects."""
    return pod_set(platform, NAME, _COMPONENT, in_mesh=True)


def configuration_content(grafana: GrafanaSettings, shown: Shown) -> dict[str, str]:
    """What the ConfigMap holds: the settings, and a file for each dashboard.

    Raises:
        ValueError: It is more than a ConfigMap can hold.
    """
    boards = {
        f"{uid}.json": json.dumps(document, sort_keys=True, separators=(",", ":"))
        for uid, document in shown.dashboards.items()
    }
    size = sum(map(len, boards.values()))
    if size > _LARGEST:
        raise ValueError(
            f"the dashboards take {size} bytes, and a ConfigMap holds at most {_LARGEST}; make fewer panels"
        )
    return {
        _MAIN: configuration.main_file(grafana.host),
        _DATASOURCES: configuration.datasource_file(shown.sources),
        _PROVIDERS: configuration.provider_file(),
        **boards,
    }


def deployment(
    grafana: GrafanaSettings, platform: PlatformSettings, content: Mapping[str, str], secret: pulumi.Input[str]
) -> Manifest:
    """One pod without a volume: two would each have accounts and sessions of their own."""
    objects = pods(platform)
    config_map = objects.configuration_name(content)
    parts = {
        "settings": [_MAIN],
        "datasources": [_DATASOURCES],
        "providers": [_PROVIDERS],
        "dashboards": [name for name in content if name.endswith(".json")],
    }
    pod = PodArgs(
        version=grafana.image.tag,
        user=_USER,
        containers=[_server(grafana)],
        volumes=[
            *(_volume(name, config_map, keys) for name, keys in parts.items()),
            {"name": "secrets", "secret": {"secretName": secret, "defaultMode": 0o440}},
            {"name": "data", "emptyDir": {"sizeLimit": grafana.scratch_size}},
            {"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
        grace_period_seconds=_GRACE_SECONDS,
    )
    return objects.deployment(1, pod)


def _volume(name: str, config_map: str, keys: Sequence[str]) -> dict[str, Any]:
    items = [{"key": key, "path": key} for key in keys]
    return {"name": name, "configMap": {"name": config_map, "items": items}}


def _server(grafana: GrafanaSettings) -> dict[str, Any]:
    def healthy(failures: int) -> dict[str, Any]:
        answer = {"path": "/api/health", "port": HTTP_PORT_NAME}
        return {"httpGet": answer, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": failures}

    home = "/usr/share/grafana"
    return container(
        ContainerArgs(
            name=NAME,
            image=grafana.image.reference,
            # The image's own script would read further settings from variables of the environment.
            command=(f"{home}/bin/grafana", "server", f"--homepath={home}", f"--config={_SETTINGS}/{_MAIN}"),
            resources=grafana.resources,
            ports=_PORTS,
            mounts={
                _SETTINGS: "settings:ro",
                f"{configuration.PROVISIONING}/datasources": "datasources:ro",
                f"{configuration.PROVISIONING}/dashboards": "providers:ro",
                configuration.DASHBOARDS: "dashboards:ro",
                configuration.SECRETS: "secrets:ro",
                configuration.DATA: "data",
                "/tmp": "scratch",  # noqa: S108  # a mount path
            },
            further={
                "startupProbe": healthy(30),
                "readinessProbe": healthy(3),
                # Health also asks its database; a restart would not help that.
                "livenessProbe": {"tcpSocket": {"port": HTTP_PORT_NAME}, "periodSeconds": 10, "timeoutSeconds": 5},
                "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
            },
        )
    )
