"""Metrics and logs of a desk: what its programs are told comes from the settings, and they read it themselves."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools
from altlas.compose.compose import compose
from components.settings import PlatformSettings
from components.settings.secrets import SECRETS
from components.stack.loading import parse_platform
from rendering.recorder import record
from tests.observability.loki_keys import problems
from tests.observability.official import official
from tests.support.documents import STACKS, alpha_settings, platform_of

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
    """The compose file of settings, as data; every secret is set."""
    secrets = {secret.key: f"<{secret.key}>" for secret in SECRETS}
    objects = record(stack, platform, secrets).objects
    document: dict[str, Any] = yaml.safe_load(compose(stack, platform, objects)[0])
    return document


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The compose file of alpha with metrics of two services."""
    return written(alpha_settings(CHANGES))


def scraping(document: dict[str, Any]) -> dict[str, Any]:
    """The configuration of Prometheus."""
    found: dict[str, Any] = yaml.safe_load(document["configs"]["prometheus-configuration"]["content"])
    return found


def test_prometheus_scrapes_exactly_the_services_that_export_metrics(document: dict[str, Any]) -> None:
    """Scrapes them where the settings say, under the label that dashboards ask by; and itself."""
    jobs = {
        job["job_name"]: (job["metrics_path"], job["static_configs"]) for job in scraping(document)["scrape_configs"]
    }
    assert jobs == {
        name: (path, [{"targets": [target], "labels": {"service": name}}])
        for name, path, target in (
            ("prometheus", "/metrics", "prometheus:9090"),
            ("loki", "/metrics", "loki:3100"),
            ("api-gateway", "/figures", "api-gateway:3000"),
            ("archive-service", "/metrics", "archive-service:9000"),
        )
    }


def test_prometheus_is_in_a_network_with_whom_it_scrapes_and_with_nobody_else(document: dict[str, Any]) -> None:
    """A target that it cannot reach would be down for ever."""
    members = {name for name, service in document["services"].items() if "metrics" in service["networks"]}
    assert members == {"prometheus", "loki", "grafana", "api-gateway", "archive-service"}


def test_interval_retention_limits_and_image_are_those_of_the_settings(document: dict[str, Any]) -> None:
    """The same figures as in the cluster."""
    server = document["services"]["prometheus"]
    assert scraping(document)["global"] == {"scrape_interval": "20s", "sample_limit": 4321}
    assert server["image"] == "team/prometheus:v3"
    assert "--storage.tsdb.retention.time=7d" in server["command"]
    assert server["deploy"]["resources"]["limits"] == {"cpus": "1", "memory": "1024M", "pids": 512}


def test_grafana_knows_both_sources_and_needs_a_password(document: dict[str, Any]) -> None:
    """Under the names by which the platform's dashboards ask; it waits until there is something to show."""
    sources = yaml.safe_load(document["configs"]["grafana-sources"]["content"])["datasources"]
    assert [(each["uid"], each["type"], each["url"], each["isDefault"]) for each in sources] == [
        ("prometheus", "prometheus", "http://prometheus:9090", True),
        ("loki", "loki", "http://loki:3100", False),
    ]
    grafana = document["services"]["grafana"]
    assert grafana["depends_on"] == {"prometheus": {"condition": "service_healthy"}}
    assert grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == "${GRAFANA_ADMIN_PASSWORD:?set it in .env}"


def test_grafana_replaces_no_plugin(document: dict[str, Any]) -> None:
    """On a root that it cannot write, it would remove the bundled data sources first and then unpack no newer ones."""
    grafana = document["services"]["grafana"]
    assert grafana["environment"]["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"
    assert grafana["environment"]["GF_PLUGINS_PREINSTALL_AUTO_UPDATE"] == "false"


def test_the_dashboards_are_those_of_the_stack() -> None:
    """Byte for byte, where the stack has a Grafana; compose takes no part of them for a variable."""
    resources = platform_of("alpha")["loki"]["resources"]
    settings = alpha_settings(CHANGES | {"grafana": {"resources": resources}})
    objects = record("alpha", settings).objects
    (kept,) = (o["data"] for o in objects if o["metadata"]["name"].startswith("grafana-configuration-"))
    boards = {name: text for name, text in kept.items() if name.endswith(".json")}
    document = written(settings)
    assert boards
    assert any("$" in text for text in boards.values())
    for name, text in boards.items():
        assert document["configs"][f"grafana-{name}"]["content"].replace("$$", "$") == text
        assert "$" not in document["configs"][f"grafana-{name}"]["content"].replace("$$", "")
    mounted = {each["target"] for each in document["services"]["grafana"]["configs"]}
    assert {f"/etc/grafana/dashboards/{name}" for name in boards} < mounted


def test_a_desk_never_writes_into_the_bucket_of_a_stack() -> None:
    """Its Loki keeps everything on its own volume."""
    bucket = {"endpoint": "https://s3.example.com", "bucket": "logs", "since": "2030-01-01"}
    document = written(alpha_settings(CHANGES | {"loki.objectStore": bucket}))
    text = document["configs"]["loki-configuration"]["content"]
    assert "s3" not in text
    assert "filesystem" in text


def test_without_loki_there_is_no_trace_of_it() -> None:
    """Neither container nor source, volume or target."""
    assert "loki" not in yaml.safe_dump(written(alpha_settings(CHANGES | {"loki": None, "alloy": None})))


def loki_configuration(stack: str) -> str:
    """Loki's configuration as Compose writes it, with `$` doubled."""
    text: str = written(parse_platform(platform_of(stack)), stack)["configs"]["loki-configuration"]["content"]
    return text


@pytest.mark.parametrize("stack", STACKS)
def test_every_key_of_the_configuration_is_known_to_loki(stack: str) -> None:
    """In both phases; an unknown key is found."""
    content = loki_configuration(stack)
    assert list(problems(json.loads(content))) == []
    assert list(problems(json.loads(content.replace("auth_enabled", "auth_enable")))) == ["auth_enable not found"]


@pytest.mark.e2e
@pytest.mark.parametrize("stack", STACKS)
def test_loki_itself_accepts_its_configuration(tmp_path: Path, stack: str) -> None:
    """In both phases, where Loki is installed; a key that it does not know is refused."""
    loki = official("loki")
    content = loki_configuration(stack)
    for text, expected in ((content, 0), (content.replace("auth_enabled", "auth_enable"), 1)):
        (tmp_path / "config.yaml").write_text(text.replace("$$", "$"), encoding="utf-8")
        command = [str(loki), f"-config.file={tmp_path}/config.yaml", "-verify-config"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == expected, done.stdout + done.stderr


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
