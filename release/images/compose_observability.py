"""Metrics on a desk, for who starts them with `--profile observability`: Prometheus and Grafana.

Everything that they are told comes from the settings of the stack, as in the cluster. Does not own rules and alerts:
most of them are about a cluster's objects, which a desk has not.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from components.settings import PlatformSettings
from components.settings.prometheus import PrometheusSettings
from components.settings.workload import QuantitySettings
from release.images import compose_stores as stores

NETWORK = "metrics"
"""Joins Prometheus with whom it scrapes, and with Grafana."""

PROFILE = "observability"
VOLUMES = ("prometheus-data", "grafana-data")
DESCRIPTIONS: Mapping[str, str] = {
    "GRAFANA_ADMIN_PASSWORD": "Password of Grafana's administrator (profile observability).",
}
_GRAFANA = "grafana/grafana:13.2.0"
_GRAFANA_LIMITS = QuantitySettings(cpu="500m", memory="512Mi")
_PORT = 9090
_FILE = "/etc/prometheus/prometheus.yml"
_SOURCES = "/etc/grafana/provisioning/datasources/prometheus.yaml"


def exporting(platform: PlatformSettings) -> dict[str, tuple[int, str]]:
    """Port and path of the metrics of each service whose image exports some."""
    services = platform.services.by_name().items()
    return {name: (service.port, service.metrics.path) for name, service in services if service.metrics}


def configurations(platform: PlatformSettings) -> dict[str, dict[str, str]]:
    """Files of Prometheus and Grafana, as compose keeps them."""
    source = {"name": "Prometheus", "type": "prometheus", "url": f"http://prometheus:{_PORT}", "isDefault": True}
    return {
        "prometheus-configuration": {"content": _text(_scraping(platform))},
        "grafana-sources": {"content": _text({"apiVersion": 1, "datasources": [source]})},
    }


def containers(platform: PlatformSettings) -> dict[str, dict[str, Any]]:
    """Prometheus and Grafana by name."""
    settings = _settings(platform)
    both = {"profiles": [PROFILE], **stores.HARDENED, "tmpfs": ["/tmp:size=64m"]}  # noqa: S108  # inside the container
    return {
        "prometheus": {
            "image": settings.image.reference,
            "user": "65534:65534",
            "command": [
                f"--config.file={_FILE}",
                "--storage.tsdb.path=/prometheus",
                f"--storage.tsdb.retention.time={settings.retention_days}d",
                f"--storage.tsdb.retention.size={settings.retention_mebibytes}MB",
            ],
            "configs": [stores.mounted("prometheus-configuration", _FILE)],
            "volumes": ["prometheus-data:/prometheus"],
            "healthcheck": stores.check(f"wget -q -O /dev/null http://127.0.0.1:{_PORT}/-/ready"),
            "deploy": stores.limited(settings.resources.limits),
            **both,
            "networks": [NETWORK],
        },
        "grafana": {
            "image": _GRAFANA,
            "user": "472:472",
            "environment": {
                "GF_SECURITY_ADMIN_PASSWORD": stores.required("GRAFANA_ADMIN_PASSWORD"),
                "GF_AUTH_ANONYMOUS_ENABLED": "false",
            },
            "configs": [stores.mounted("grafana-sources", _SOURCES)],
            "volumes": ["grafana-data:/var/lib/grafana"],
            "healthcheck": stores.check("wget -q -O /dev/null http://127.0.0.1:3000/api/health"),
            "depends_on": {"prometheus": {"condition": "service_healthy"}},
            "ports": ["127.0.0.1:3001:3000"],
            "deploy": stores.limited(_GRAFANA_LIMITS),
            **both,
            "networks": [NETWORK, "outside"],
        },
    }


def _scraping(platform: PlatformSettings) -> dict[str, Any]:
    settings = _settings(platform)
    targets = {"prometheus": (_PORT, "/metrics"), **exporting(platform)}
    return {
        "global": {
            "scrape_interval": f"{settings.scrape_interval_seconds}s",
            "sample_limit": settings.sample_limit,
        },
        "scrape_configs": [
            {
                "job_name": name,
                "metrics_path": path,
                "static_configs": [{"targets": [f"{name}:{port}"], "labels": {"service": name}}],
            }
            for name, (port, path) in targets.items()
        ],
    }


def _settings(platform: PlatformSettings) -> PrometheusSettings:
    return platform.prometheus or PrometheusSettings()


def _text(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(document), sort_keys=False)
