"""Everything about metrics that a stack consists of, put together."""

from collections.abc import Mapping

import pulumi

from components.observability.alerts.rules import rule_objects
from components.observability.metrics.alertmanager import Alertmanager
from components.observability.metrics.exporters import BlackboxExporter, KubeStateMetrics
from components.observability.metrics.monitors import jobs, monitors
from components.observability.metrics.prometheus import Prometheus
from components.settings import PlatformSettings
from components.stack.configuration import StackConfiguration
from components.traffic.graph import ServiceGraph
from components.workloads.component import StoreComponent

_MONITORING = "monitoring"


class Monitoring(StoreComponent):
    """Monitors, probes and rules. Owns what is scraped, promised and an alert; does not own who scrapes it."""

    def __init__(
        self, platform: PlatformSettings, service_ports: Mapping[str, int], namespace: pulumi.Resource
    ) -> None:
        super().__init__("alt-las:observability:Monitoring", _MONITORING, platform, namespace)
        made = monitors(platform, service_ports)
        for manifest in (*made, *rule_objects(platform, jobs(made))):
            self._register(f"{_MONITORING}-{manifest['metadata']['name']}", manifest)
        self.register_outputs({})


def build_metrics(
    configuration: StackConfiguration,
    graph: ServiceGraph,
    service_ports: Mapping[str, int],
    namespace: pulumi.Resource,
) -> None:
    """Register what watches the stack; nothing where its settings say `prometheus: null`.

    Args:
        configuration: The stack's settings and secrets.
        graph: Who may call and scrape whom.
        service_ports: Port under which each service is reached inside the namespace, by name.
        namespace: The namespace as a resource.
    """
    platform = configuration.platform
    settings = platform.prometheus
    if settings is None:
        return
    BlackboxExporter(platform, settings.exporters.blackbox, graph, namespace)
    if settings.is_managed:
        KubeStateMetrics(platform, settings.exporters.kube_state, graph, namespace)
        Prometheus(platform, settings, graph, namespace)
    if platform.alertmanager:
        Alertmanager(configuration, platform.alertmanager, graph, namespace)
    Monitoring(platform, service_ports, namespace)
