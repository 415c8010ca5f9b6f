"""Metrics, logs, dashboards and alerts: what watches a stack."""

from components.observability.dashboards.grafana import Grafana, GrafanaArgs
from components.observability.logs.alloy import Alloy, AlloyArgs
from components.observability.logs.loki import Loki, LokiArgs
from components.observability.metrics.alertmanager import Alertmanager, AlertmanagerArgs
from components.observability.metrics.exporters import BlackboxArgs, BlackboxExporter, KubeStateArgs, KubeStateMetrics
from components.observability.metrics.monitoring import Monitoring, MonitoringArgs
from components.observability.metrics.prometheus import Prometheus, PrometheusArgs

__all__ = [
    "Alertmanager",
    "AlertmanagerArgs",
    "Alloy",
    "AlloyArgs",
    "BlackboxArgs",
    "BlackboxExporter",
    "Grafana",
    "GrafanaArgs",
    "KubeStateArgs",
    "KubeStateMetrics",
    "Loki",
    "LokiArgs",
    "Monitoring",
    "MonitoringArgs",
    "Prometheus",
    "PrometheusArgs",
]
