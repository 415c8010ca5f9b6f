"""The metrics of a desk: what Prometheus and Grafana are told comes from the settings; the real programs read it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools
from components.settings import PlatformSettings, parse_platform
from release.images.compose import compose
from release.program import record
from tests.stacks.documents import STACKS, alpha_settings, platform_of

CHANGES = {
    "prometheus": {
        "scrapeIntervalSeconds": 20,
        "retentionDays": 7,
        "sampleLimit": 4321,
        "image": {"repository": "team/prometheus", "tag": "v3"},
    },
    "services.api-gateway.metrics": {"path": "/figures"},
    "services.archive-service.metrics": {},
}


def written(platform: PlatformSettings, stack: str = "alpha") -> dict[str, Any]:
    """The compose file of settings, as data."""
    objects = record(stack, platform.model_dump(mode="json", by_alias=True)).objects
    document: dict[str, Any] = yaml.safe_load(compose(stack, platform, objects)[0])
    return document


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The compose file of alpha with metrics of two services."""
    return written(alpha_settings(CHANGES))


def scraping(document: dict[str, Any]) -> dict[str, Any]:
    """What Prometheus is told."""
    found: dict[str, Any] = yaml.safe_load(document["configs"]["prometheus-configuration"]["content"])
    return found


def test_prometheus_scrapes_exactly_the_services_that_export_metrics(document: dict[str, Any]) -> None:
    """Where the settings say, under the label that dashboards ask by; and itself."""
    jobs = {
        job["job_name"]: (job["metrics_path"], job["static_configs"]) for job in scraping(document)["scrape_configs"]
    }
    assert jobs == {
        name: (path, [{"targets": [target], "labels": {"service": name}}])
        for name, path, target in (
            ("prometheus", "/metrics", "prometheus:9090"),
            ("api-gateway", "/figures", "api-gateway:3000"),
            ("archive-service", "/metrics", "archive-service:9000"),
        )
    }


def test_prometheus_is_in_a_network_with_whom_it_scrapes_and_with_nobody_else(document: dict[str, Any]) -> None:
    """A target that it cannot reach would be down for ever."""
    members = {name for name, service in document["services"].items() if "metrics" in service["networks"]}
    assert members == {"prometheus", "grafana", "api-gateway", "archive-service"}


def test_interval_retention_limits_and_image_are_those_of_the_settings(document: dict[str, Any]) -> None:
    """The same figures as in the cluster."""
    server = document["services"]["prometheus"]
    assert scraping(document)["global"] == {"scrape_interval": "20s", "sample_limit": 4321}
    assert server["image"] == "team/prometheus:v3"
    assert "--storage.tsdb.retention.time=7d" in server["command"]
    assert server["deploy"]["resources"]["limits"] == {"cpus": "1", "memory": "1024M", "pids": 512}


def test_grafana_knows_prometheus_and_needs_a_password(document: dict[str, Any]) -> None:
    """It waits until there is something to show."""
    (source,) = yaml.safe_load(document["configs"]["grafana-sources"]["content"])["datasources"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    grafana = document["services"]["grafana"]
    assert grafana["depends_on"] == {"prometheus": {"condition": "service_healthy"}}
    assert grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == "${GRAFANA_ADMIN_PASSWORD:?set it in .env}"


@pytest.fixture(scope="module")
def promtool() -> Path:
    """The checker of Prometheus itself."""
    return tools.ensure(["promtool"]).path("promtool")


@pytest.mark.e2e
@pytest.mark.parametrize("stack", [*STACKS, "changed"])
def test_prometheus_itself_accepts_what_it_is_told(
    promtool: Path, document: dict[str, Any], tmp_path: Path, stack: str
) -> None:
    """Both phases as they are checked in, and one with metrics of two services."""
    found = document if stack == "changed" else written(parse_platform(platform_of(stack)), stack)
    content: str = found["configs"]["prometheus-configuration"]["content"]
    for text, expected in ((content, 0), (content.replace("scrape_interval", "scrape_intervals"), 1)):
        (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")
        command = [str(promtool), "check", "config", str(tmp_path / "prometheus.yml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == expected, done.stdout + done.stderr
