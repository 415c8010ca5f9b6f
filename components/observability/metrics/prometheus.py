"""Prometheus of a stack, run by Prometheus Operator: as much as it keeps, for as long, and with few rights."""

from typing import Any

import pulumi

from components.kubernetes.object import Manifest
from components.settings import PlatformSettings
from components.settings.prometheus import PrometheusSettings
from components.traffic.graph import ServiceGraph
from components.traffic.network_policy import pods_elsewhere
from components.traffic.observers import ALERTMANAGER, PROMETHEUS
from components.workloads import operated as objects
from components.workloads.component import StoreComponent
from components.workloads.container import resources

_COMPONENT = "metrics"
_LABELS_OF_A_SERIES = 60
_LABEL_CHARACTERS = 1024
_TARGETS_OF_A_MONITOR = 100
_READ = ["get", "list", "watch"]
_GRACE_SECONDS = 300
WEB_PORT = "web"
"""Name of the port of the servers that the operator makes."""


def role_rules() -> list[dict[str, Any]]:
    """What finding targets takes: to read Services, pods and endpoints of the namespace. No Secrets."""
    return [
        {"apiGroups": [""], "resources": ["services", "pods"], "verbs": _READ},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
    ]


def prometheus(settings: PrometheusSettings, platform: PlatformSettings, stack: str) -> Manifest:
    """The servers. StatefulSet, configuration and the headless Service `prometheus-operated` are the operator's."""
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
        # Alloy passes on what services send; nobody else is let in for that.
        "enableRemoteWriteReceiver": platform.alloy is not None,
        **_alerting(platform),
    }
    metadata = objects.metadata(PROMETHEUS, _COMPONENT, platform)
    return {"apiVersion": objects.API_VERSION, "kind": "Prometheus", "metadata": metadata, "spec": spec}


def _selectors() -> dict[str, Any]:
    """What this program makes in its own namespace; no object of another one, and no file of the server."""
    kinds = ("serviceMonitor", "podMonitor", "probe", "scrapeConfig", "rule")
    return {
        **{f"{kind}Selector": objects.SELECTOR for kind in kinds},
        "ignoreNamespaceSelectors": True,
        "arbitraryFSAccessThroughSMs": {"deny": True},
    }


def _limits(settings: PrometheusSettings) -> dict[str, Any]:
    """What a target may send. A target that sends more is down, and that is an alert."""
    return {
        "enforcedSampleLimit": settings.sample_limit,
        "enforcedTargetLimit": _TARGETS_OF_A_MONITOR,
        "enforcedLabelLimit": _LABELS_OF_A_SERIES,
        "enforcedLabelValueLengthLimit": _LABEL_CHARACTERS,
    }


def _alerting(platform: PlatformSettings) -> dict[str, Any]:
    if platform.alertmanager is None:
        return {}
    own = {"name": f"{ALERTMANAGER}-operated", "namespace": platform.namespace, "port": WEB_PORT, "apiVersion": "v2"}
    return {"alerting": {"alertmanagers": [own]}}


def network_policy(settings: PrometheusSettings, platform: PlatformSettings, graph: ServiceGraph) -> Manifest:
    """Who may ask the servers, and whom they scrape."""
    policy = objects.network_policy(PROMETHEUS, _COMPONENT, platform, graph)
    for job in settings.existing_jobs:
        peer = pods_elsewhere(job.namespace, job.pod_labels)
        policy["spec"]["egress"].append({"to": [peer], "ports": [{"protocol": "TCP", "port": job.port}]})
    return policy


class Prometheus(StoreComponent):
    """The object Prometheus, its ServiceAccount with a Role of the namespace, and its NetworkPolicy.

    Owns what the servers keep and may do. Does not own the operator, what is scraped, nor the volumes that the operator
    makes.
    """

    def __init__(
        self, platform: PlatformSettings, settings: PrometheusSettings, graph: ServiceGraph, namespace: pulumi.Resource
    ) -> None:
        super().__init__("alt-las:observability:Prometheus", PROMETHEUS, platform, namespace)
        account = self._register(PROMETHEUS, objects.service_account(PROMETHEUS, _COMPONENT, platform))
        rights = [
            self._register(PROMETHEUS, each, account)
            for each in objects.reader_role(PROMETHEUS, _COMPONENT, platform, role_rules())
        ]
        policy = self._register(PROMETHEUS, network_policy(settings, platform, graph))
        self._register(PROMETHEUS, prometheus(settings, platform, pulumi.get_stack()), *rights, policy)
        self.register_outputs({})
