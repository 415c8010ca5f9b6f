"""Prometheus of a stack, run by Prometheus Operator: retention, limits, and read access to its own namespace."""

from dataclasses import dataclass
from typing import Any, Self

import pulumi

from components.kubernetes.object import Manifest
from components.observability.metrics.alertmanager import Alertmanager
from components.settings import PlatformSettings
from components.settings.prometheus import PrometheusSettings
from components.traffic.network_policy import pods_elsewhere
from components.traffic.observers import PROMETHEUS, PROMETHEUS_PORT, PROMETHEUS_SERVICE
from components.workloads import operated as objects
from components.workloads.component import ObjectComponent, Surroundings
from components.workloads.container import resources
from components.workloads.pod_set import PodSet

_COMPONENT = "metrics"
_LABELS_OF_A_SERIES = 60
_LABEL_CHARACTERS = 1024
_TARGETS_OF_A_MONITOR = 100
_READ = ["get", "list", "watch"]
_GRACE_SECONDS = 300
WEB_PORT = "web"
"""Name of the port of the servers that the operator makes."""


@dataclass(frozen=True, kw_only=True)
class PrometheusArgs:
    """Prometheus of a stack.

    Attributes:
        surroundings: The stack around it.
        settings: What it keeps, scrapes and may use.
        alertmanager: Service of the Alertmanager that it sends alerts to, or None.
        takes_metrics: Whether it accepts metrics that services send through Alloy.
    """

    surroundings: Surroundings
    settings: PrometheusSettings
    alertmanager: str | None
    takes_metrics: bool

    @classmethod
    def of(
        cls, platform: PlatformSettings, surroundings: Surroundings, alertmanager: Alertmanager | None
    ) -> Self | None:
        """Take from the settings of a stack what its Prometheus needs; None where it has none of its own."""
        if platform.prometheus is None or not platform.prometheus.is_managed:
            return None
        return cls(
            surroundings=surroundings,
            settings=platform.prometheus,
            alertmanager=alertmanager.service if alertmanager else None,
            takes_metrics=platform.alloy is not None,
        )


def url_in(namespace: str | None = None) -> str:
    """Address of the Prometheus that another namespace has; without one, of the stack's own."""
    return f"http://{f'{PROMETHEUS_SERVICE}.{namespace}' if namespace else PROMETHEUS}:{PROMETHEUS_PORT}"


def write_urls(replicas: int) -> tuple[str, ...]:
    """Address of each server for what is written to it.

    The operator's Service is headless: a client that writes to it keeps one connection and feeds one server only.
    """
    hosts = (f"{PROMETHEUS}-{PROMETHEUS}-{index}.{PROMETHEUS_SERVICE}" for index in range(replicas))
    return tuple(f"http://{host}:{PROMETHEUS_PORT}/api/v1/write" for host in hosts)


def role_rules() -> list[dict[str, Any]]:
    """Rights for finding targets: to read Services, pods and endpoints of the namespace. No Secrets."""
    return [
        {"apiGroups": [""], "resources": ["services", "pods"], "verbs": _READ},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
    ]


def prometheus(args: PrometheusArgs, pods: PodSet, stack: str) -> Manifest:
    """The servers. StatefulSet, configuration and the headless Service `prometheus-operated` are the operator's."""
    settings = args.settings
    spec = {
        **objects.pods(PROMETHEUS, _COMPONENT, settings.image, token=True),
        "replicas": settings.replicas,
        "retention": f"{settings.retention_days}d",
        # The volume is never full: what its share cannot hold goes before its age.
        "retentionSize": f"{settings.retention_mebibytes}MiB",
        "walCompression": True,
        "scrapeInterval": f"{settings.scrape_interval_seconds}s",
        "evaluationInterval": f"{settings.scrape_interval_seconds}s",
        "externalLabels": {"stack": stack},
        "serviceDiscoveryRole": "EndpointSlice",
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "resources": resources(settings.resources),
        **objects.storage(settings.storage_size, settings.storage_class, PROMETHEUS),
        **objects.reloaders(settings.reloader_image),
        **_selectors(),
        **_limits(settings),
        "podTargetLabels": list(settings.pod_target_labels),
        # Alloy passes on what services send; no other pod is allowed in for that.
        "enableRemoteWriteReceiver": args.takes_metrics,
        **_alerting(args),
    }
    return {"apiVersion": objects.API_VERSION, "kind": "Prometheus", "metadata": pods.metadata(), "spec": spec}


def _selectors() -> dict[str, Any]:
    """Selectors of this program's objects in its own namespace; no object of another one, and no file of the server."""
    kinds = ("serviceMonitor", "podMonitor", "probe", "scrapeConfig", "rule")
    return {
        **{f"{kind}Selector": objects.SELECTOR for kind in kinds},
        "ignoreNamespaceSelectors": True,
        "arbitraryFSAccessThroughSMs": {"deny": True},
    }


def _limits(settings: PrometheusSettings) -> dict[str, Any]:
    """Limits of a target. A target that sends more is down, and that is an alert."""
    return {
        "enforcedSampleLimit": settings.sample_limit,
        "enforcedTargetLimit": _TARGETS_OF_A_MONITOR,
        "enforcedLabelLimit": _LABELS_OF_A_SERIES,
        "enforcedLabelValueLengthLimit": _LABEL_CHARACTERS,
    }


def _alerting(args: PrometheusArgs) -> dict[str, Any]:
    if args.alertmanager is None:
        return {}
    namespace = args.surroundings.namespace
    own = {"name": args.alertmanager, "namespace": namespace, "port": WEB_PORT, "apiVersion": "v2"}
    return {"alerting": {"alertmanagers": [own]}}


def network_policy(args: PrometheusArgs, pods: PodSet) -> Manifest:
    """Callers of the servers, and targets that they scrape."""
    policy = dict(pods.declared_policy(args.surroundings.graph, args.surroundings.controller))
    for job in args.settings.existing_jobs:
        peer = pods_elsewhere(job.namespace, job.pod_labels)
        policy["spec"]["egress"].append({"to": [peer], "ports": [{"protocol": "TCP", "port": job.port}]})
    return policy


class Prometheus(ObjectComponent):
    """The object Prometheus, its ServiceAccount with a Role of the namespace, its NetworkPolicy and its Service.

    Owns what the servers keep and may do. Does not own the operator, what is scraped, nor the volumes that the operator
    makes.

    Attributes:
        url: Address inside the namespace for readers; each stays with one server, because the data of two differs.
        write_urls: Address of each server for metrics that are sent to it.
    """

    url: str
    write_urls: tuple[str, ...]

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:observability:Prometheus", name, args.surroundings, opts)
        pods = PodSet.of(args.surroundings, PROMETHEUS, _COMPONENT, in_mesh=True)
        account = self._register(name, pods.service_account())
        rights = [self._register(name, each, account) for each in pods.reader_role(role_rules())]
        policy = self._register(name, network_policy(args, pods))
        self._register(name, prometheus(args, pods, pulumi.get_stack()), *rights, policy)
        self._register(name, pods.disruption_budget())
        affinity = {"sessionAffinity": "ClientIP"}
        self._register(name, pods.client_service({WEB_PORT: PROMETHEUS_PORT}, further=affinity))
        self.url, self.write_urls = url_in(), write_urls(args.settings.replicas)
        self.register_outputs({"url": self.url, "write_urls": self.write_urls})
