"""Grafana of a stack: one pod with provisioned datasources and dashboards."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pulumi

from components.kubernetes.naming import HTTP_PORT_NAME
from components.kubernetes.object import Manifest
from components.observability.dashboards import grafana_configuration as configuration
from components.observability.logs.loki import Loki
from components.observability.metrics.prometheus import Prometheus, url_in
from components.settings import PlatformSettings
from components.settings.grafana import GrafanaSettings
from components.stack.configuration import StackConfiguration
from components.traffic.graph import ServiceGraph
from components.traffic.observers import GRAFANA, GRAFANA_PORT
from components.workloads.component import ObjectComponent, Surroundings
from components.workloads.container import ContainerArgs, container
from components.workloads.pod import PodArgs
from components.workloads.pod_set import PodSet

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
    """Contents of Grafana.

    Attributes:
        sources: Where it gets data from; the first is the one that is asked where nothing else is said.
        dashboards: Dashboards as Grafana reads them, by identifier.
    """

    sources: Sequence[configuration.Source]
    dashboards: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class GrafanaArgs:
    """Grafana of a stack.

    Attributes:
        surroundings: The stack around it.
        settings: Its image, resources and host.
        shown: Datasources and dashboards.
        password: Password of its administrator.
        secret_key: Encrypts what it keeps of its datasources.
    """

    surroundings: Surroundings
    settings: GrafanaSettings
    shown: Shown
    password: pulumi.Output[str]
    secret_key: pulumi.Output[str]

    @classmethod
    def of(
        cls, stack: StackConfiguration, surroundings: Surroundings, prometheus: Prometheus | None, loki: Loki | None
    ) -> Self | None:
        """Take from the configuration of a stack what its Grafana needs; None where there is none.

        Args:
            stack: The configuration.
            surroundings: The stack around it.
            prometheus: The stack's own Prometheus; None where the settings name one in another namespace.
            loki: The stack's Loki, where it has one.
        """
        platform = stack.platform
        if platform.grafana is None or platform.prometheus is None:
            return None
        external = platform.prometheus.external
        url = prometheus.url if prometheus else url_in(external.namespace if external else None)
        metrics = configuration.prometheus_source(url, platform.prometheus.scrape_interval_seconds)
        sources = (metrics, *([configuration.loki_source(loki.url)] if loki else ()))
        return cls(
            surroundings=surroundings,
            settings=platform.grafana,
            shown=Shown(sources, stack_dashboards(platform, surroundings.graph, pulumi.get_stack())),
            password=stack.secrets[PASSWORD_KEY],
            secret_key=stack.secrets[SECRET_KEY],
        )


class Grafana(ObjectComponent):
    """The pod with its settings, datasources, dashboards, password, Service and NetworkPolicy.

    Owns what is shown. Does not own the data, nor the accounts that people make in it: those go with the pod.

    Attributes:
        url: Address inside the namespace.
    """

    url: str

    def __init__(self, name: str, args: GrafanaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:observability:Grafana", name, args.surroundings, opts)
        pods = PodSet.of(args.surroundings, NAME, _COMPONENT, in_mesh=True)
        content = configuration_content(args.settings, args.shown)
        keys = pulumi.Output.all(
            **{configuration.PASSWORD_FILE: args.password, configuration.KEY_FILE: args.secret_key}
        )
        secret = self._register(f"{name}-secrets", pods.secret(keys)).metadata["name"]
        before = [
            self._register(name, pods.service_account()),
            self._register(f"{name}-configuration", pods.config_map(content)),
            self._register(name, pods.declared_policy(args.surroundings.graph, args.surroundings.controller)),
        ]
        self._register(name, pods.disruption_budget())
        self._register(name, pods.client_service(_PORTS))
        self._register(name, deployment(args.settings, pods, content, secret), *before, awaited=True)
        self.url = f"http://{NAME}:{GRAFANA_PORT}"
        self.register_outputs({"url": self.url})


def stack_dashboards(platform: PlatformSettings, graph: ServiceGraph, stack: str) -> Mapping[str, Mapping[str, Any]]:
    """Dashboards of a stack by their identifier."""
    # Half a hundred modules that a stack without Grafana does not need.
    from components.observability.dashboards.boards import dashboards  # noqa: PLC0415
    from components.observability.dashboards.view import view_of  # noqa: PLC0415

    return dashboards(view_of(platform, graph, stack))


def configuration_content(grafana: GrafanaSettings, shown: Shown) -> dict[str, str]:
    """Data of the ConfigMap: the settings, and a file for each dashboard.

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
    grafana: GrafanaSettings, pods: PodSet, content: Mapping[str, str], secret: pulumi.Input[str]
) -> Manifest:
    """One pod without a volume: two would each have accounts and sessions of their own."""
    config_map = pods.configuration_name(content)
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
    return pods.deployment(1, pod)


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
