"""Metrics and logs under Compose, with `--profile observability`: Prometheus, Loki and Grafana.

Everything that they are told comes from the settings of the stack, as in the cluster. Does not own rules and alerts,
most of which are about a cluster's objects, nor who ships the logs: in a cluster that is done through its API.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from altlas.compose import stores
from components.settings import PlatformSettings
from components.settings.grafana import GrafanaSettings
from components.settings.image import ImageSettings
from components.settings.prometheus import PrometheusSettings
from components.settings.workload import QuantitySettings

NETWORK = "metrics"
"""Joins Prometheus with whom it scrapes, and with Grafana."""

PROFILE = "observability"
DESCRIPTIONS: Mapping[str, str] = {
    "GRAFANA_ADMIN_PASSWORD": "Password of Grafana's administrator (profile observability).",
}
_GRAFANA: ImageSettings = GrafanaSettings.model_fields["image"].default
_GRAFANA_LIMITS = QuantitySettings(cpu="500m", memory="512Mi")
_PORT, _LOKI_PORT = 9090, 3100
_FILE = "/etc/prometheus/prometheus.yml"
_LOKI_FILE, _LOKI_DATA = "/etc/loki/config.yaml", "/var/lib/loki"
_PROVISIONING = "/etc/grafana/provisioning"
_DASHBOARDS = "/etc/grafana/dashboards"

_SCRATCH = "/tmp:size=64m"  # noqa: S108  # inside the container
_PROVIDER = {
    "name": "platform",
    "folder": "ALT_LAS",
    "type": "file",
    "disableDeletion": True,
    "options": {"path": _DASHBOARDS},
}

Manifest = Mapping[str, Any]


def exporting(platform: PlatformSettings) -> dict[str, tuple[int, str]]:
    """Port and path of the metrics of each service whose image exports some."""
    services = platform.services.by_name().items()
    return {name: (service.port, service.metrics.path) for name, service in services if service.metrics}


def configurations(platform: PlatformSettings, objects: Sequence[Manifest]) -> dict[str, dict[str, str]]:
    """Files of Prometheus, Loki and Grafana, as compose keeps them."""
    boards = _dashboards(objects)
    files = {
        "prometheus-configuration": _text(_scraping(platform)),
        "grafana-sources": _text({"apiVersion": 1, "datasources": list(_sources(platform))}),
        **({"loki-configuration": _loki_file(objects)} if platform.loki else {}),
        **({"grafana-providers": _text({"apiVersion": 1, "providers": [_PROVIDER]})} if boards else {}),
        **{f"grafana-{name}": text for name, text in boards.items()},
    }
    # Compose reads a dollar sign as the beginning of a variable.
    return {name: {"content": text.replace("$", "$$")} for name, text in files.items()}


def containers(platform: PlatformSettings, objects: Sequence[Manifest]) -> dict[str, dict[str, Any]]:
    """Prometheus, Grafana and, where the stack has one, Loki by name."""
    found = {"prometheus": _prometheus(platform), "loki": _loki(platform), "grafana": _grafana(platform, objects)}
    return {name: {"profiles": [PROFILE], **stores.HARDENED, **each} for name, each in found.items() if each}


def volumes(platform: PlatformSettings) -> tuple[str, ...]:
    """Volumes of the three."""
    return ("prometheus-data", "grafana-data", *(["loki-data"] if platform.loki else []))


def _prometheus(platform: PlatformSettings) -> dict[str, Any]:
    settings = _settings(platform)
    return {
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
        "tmpfs": [_SCRATCH],
        "healthcheck": stores.check(f"wget -q -O /dev/null http://127.0.0.1:{_PORT}/-/ready"),
        "deploy": stores.limited(settings.resources.limits),
        "networks": [NETWORK],
    }


def _loki(platform: PlatformSettings) -> dict[str, Any]:
    if platform.loki is None:
        return {}
    return {
        "image": platform.loki.image.reference,
        "user": "10001:10001",
        "command": [f"-config.file={_LOKI_FILE}", "-target=all"],
        "configs": [stores.mounted("loki-configuration", _LOKI_FILE)],
        "volumes": [f"loki-data:{_LOKI_DATA}"],
        "tmpfs": [_SCRATCH],
        "deploy": stores.limited(platform.loki.resources.limits),
        # Log shippers send here: Docker's plugin for Loki, or an OTLP client.
        "ports": [f"127.0.0.1:{_LOKI_PORT}:{_LOKI_PORT}"],
        "networks": [NETWORK, "outside"],
    }


def _grafana(platform: PlatformSettings, objects: Sequence[Manifest]) -> dict[str, Any]:
    settings, boards = platform.grafana, _dashboards(objects)
    mounted = [stores.mounted("grafana-sources", f"{_PROVISIONING}/datasources/sources.yaml")]
    if boards:
        mounted.append(stores.mounted("grafana-providers", f"{_PROVISIONING}/dashboards/providers.yaml"))
    mounted += [stores.mounted(f"grafana-{name}", f"{_DASHBOARDS}/{name}") for name in boards]
    return {
        "image": (settings.image if settings else _GRAFANA).reference,
        "user": "472:472",
        "environment": {
            "GF_SECURITY_ADMIN_PASSWORD": stores.required("GRAFANA_ADMIN_PASSWORD"),
            "GF_AUTH_ANONYMOUS_ENABLED": "false",
            # Grafana unregisters a bundled plugin before it unpacks a newer one, which a read-only root prevents.
            "GF_PLUGINS_PREINSTALL_DISABLED": "true",
            "GF_PLUGINS_PREINSTALL_AUTO_UPDATE": "false",
        },
        "configs": mounted,
        "volumes": ["grafana-data:/var/lib/grafana"],
        "tmpfs": [_SCRATCH],
        "healthcheck": stores.check("wget -q -O /dev/null http://127.0.0.1:3000/api/health"),
        "depends_on": {"prometheus": {"condition": "service_healthy"}},
        "ports": ["127.0.0.1:3001:3000"],
        "deploy": stores.limited(settings.resources.limits if settings else _GRAFANA_LIMITS),
        "networks": [NETWORK, "outside"],
    }


def _sources(platform: PlatformSettings) -> Iterator[dict[str, Any]]:
    """Under the names by which the platform's dashboards ask."""
    found = {"prometheus": _PORT} | ({"loki": _LOKI_PORT} if platform.loki else {})
    for name, port in found.items():
        source = {"name": name.capitalize(), "uid": name, "type": name, "url": f"http://{name}:{port}"}
        yield source | {"isDefault": name == "prometheus", "editable": False}


def _dashboards(objects: Sequence[Manifest]) -> dict[str, str]:
    """The dashboards of the stack's own Grafana, by the name of their file; none where it has none."""
    data = _data(objects, "grafana-configuration-")
    return {name: text for name, text in data.items() if name.endswith(".json")}


def _loki_file(objects: Sequence[Manifest]) -> str:
    """The configuration of the stack's Loki. Under Compose logs stay on a local volume, never in the stack's bucket."""
    document: dict[str, Any] = yaml.safe_load(_data(objects, "loki-configuration-")["config.yaml"])
    schemas = document["schema_config"]["configs"]
    document["schema_config"]["configs"] = [each for each in schemas if each["object_store"] == "filesystem"]
    document["storage_config"].pop("aws", None)
    document["compactor"]["delete_request_store"] = "filesystem"
    return json.dumps(document, indent=2) + "\n"


def _data(objects: Sequence[Manifest], prefix: str) -> Mapping[str, str]:
    maps = [each for each in objects if each["kind"] == "ConfigMap" and each["metadata"]["name"].startswith(prefix)]
    found: Mapping[str, str] = maps[0]["data"] if maps else {}
    return found


def _scraping(platform: PlatformSettings) -> dict[str, Any]:
    settings = _settings(platform)
    # Loki's image has no program that could ask it how it is, so it has no health check; this is where that shows.
    loki = {"loki": (_LOKI_PORT, "/metrics")} if platform.loki else {}
    targets = {"prometheus": (_PORT, "/metrics"), **loki, **exporting(platform)}
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
