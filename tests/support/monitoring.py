"""Objects that monitoring adds to each stack."""

from collections import Counter

_BOTH = Counter(
    {
        "NetworkPolicy": 5,
        "ServiceAccount": 5,
        "Role": 3,
        "RoleBinding": 3,
        "ConfigMap": 1,
        "Secret": 1,
        "Deployment": 3,
        "Service": 4,
        "PodDisruptionBudget": 5,
        "Prometheus": 1,
        "Alertmanager": 1,
        "PodMonitor": 11,
        "Probe": 6,
        "PrometheusRule": 6,
    }
)
MONITORING = {"alpha": _BOTH + Counter({"ServiceMonitor": 1}), "beta": _BOTH}
"""Beta's gateway exports no metrics, so nothing is scraped there."""

_NAMES = ("backup-metrics", "prometheus", "alertmanager", "blackbox-exporter", "kube-state-metrics", "monitoring")


def is_monitoring(key: tuple[str, str]) -> bool:
    """True if an object, by kind and logical name, belongs to monitoring."""
    return key[1].startswith(_NAMES)
