"""What monitoring adds to the objects of each stack."""

from collections import Counter

_BOTH = Counter(
    {
        "NetworkPolicy": 4,
        "ServiceAccount": 4,
        "Role": 2,
        "RoleBinding": 2,
        "ConfigMap": 1,
        "Secret": 1,
        "Deployment": 2,
        "Service": 2,
        "PodDisruptionBudget": 2,
        "Prometheus": 1,
        "Alertmanager": 1,
        "PodMonitor": 7,
        "Probe": 6,
        "PrometheusRule": 5,
    }
)
MONITORING = {"alpha": _BOTH + Counter({"ServiceMonitor": 1}), "beta": _BOTH}
"""Beta's gateway exports no metrics, so nothing is scraped there."""

_NAMES = ("prometheus", "alertmanager", "blackbox-exporter", "kube-state-metrics", "monitoring")


def is_monitoring(key: tuple[str, str]) -> bool:
    """Whether an object, by kind and logical name, belongs to monitoring."""
    return key[1].startswith(_NAMES)
