"""What watches a stack, put together: who takes logs, who keeps them, and who shows them."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.observability.dashboards import grafana
from components.observability.dashboards.grafana_configuration import Source, loki_source, prometheus_source
from components.observability.logs import alloy, loki
from components.settings import PlatformSettings
from components.stack.configuration import StackConfiguration
from components.traffic.graph import ServiceGraph
from components.traffic.observers import PROMETHEUS_PORT, PROMETHEUS_SERVICE


def telemetry_environment(platform: PlatformSettings) -> dict[str, str]:
    """Plain environment variables by which a service finds who takes its logs and metrics."""
    return alloy.environment() if platform.alloy else {}


def build_logs_and_dashboards(
    configuration: StackConfiguration, graph: ServiceGraph, namespace: pulumi.Resource
) -> None:
    """Register who takes logs, who keeps them, and who shows them.

    Args:
        configuration: The stack's settings and secrets.
        graph: Who may call whom.
        namespace: The namespace as a resource.
    """
    platform = configuration.platform
    if platform.loki:
        loki.Loki(configuration, platform.loki, graph, namespace)
    if platform.alloy:
        alloy.Alloy(configuration, platform.alloy, graph, namespace)
    if platform.grafana:
        shown = grafana.Shown(sources(platform), stack_dashboards(platform, graph, pulumi.get_stack()))
        grafana.Grafana(configuration, platform.grafana, graph, namespace, shown)


def sources(platform: PlatformSettings) -> tuple[Source, ...]:
    """Where Grafana gets data from: the Prometheus of the stack or of the cluster, and Loki."""
    if platform.prometheus is None:
        return ()
    external = platform.prometheus.external
    host = f"{PROMETHEUS_SERVICE}.{external.namespace}" if external else PROMETHEUS_SERVICE
    metrics = prometheus_source(f"http://{host}:{PROMETHEUS_PORT}", platform.prometheus.scrape_interval_seconds)
    return (metrics, *([loki_source(loki.url())] if platform.loki else ()))


def stack_dashboards(platform: PlatformSettings, graph: ServiceGraph, stack: str) -> Mapping[str, Mapping[str, Any]]:
    """The dashboards of a stack by their identifier."""
    # Half a hundred modules that a stack without Grafana does not need.
    from components.observability.dashboards.boards import dashboards  # noqa: PLC0415
    from components.observability.dashboards.view import view_of  # noqa: PLC0415

    return dashboards(view_of(platform, graph, stack))
