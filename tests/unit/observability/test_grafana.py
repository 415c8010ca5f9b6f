"""Grafana's objects: closed, quiet, provisioned only."""

import configparser
import itertools
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from altlas.pictures.dashboard import block_diagram
from components.observability.dashboards.grafana import Shown, configuration_content
from components.settings.grafana import GrafanaSettings
from rendering.recorder import Recorder, record
from tests.support.documents import ROOT, STACKS, alpha_settings, alpha_with, platform_of
from tests.support.program import find, scraped_on
from tests.support.promql import queries_of

HOST = "grafana.alt-las.local"
WITH_HOST = {"grafana.host": HOST, "ingress.tls": {"additional": [{"host": HOST, "secretName": "grafana-tls"}]}}


def content(objects: list[dict[str, Any]]) -> dict[str, str]:
    """Data of Grafana's ConfigMap."""
    found: dict[str, str] = find(objects, "ConfigMap", "grafana-configuration")["data"]
    return found


def settings_of(objects: list[dict[str, Any]]) -> configparser.ConfigParser:
    """`grafana.ini`, read."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(content(objects)["grafana.ini"])
    return parser


@pytest.mark.parametrize("stack", STACKS)
def test_nobody_gets_in_unasked_and_nothing_is_sent_home(programs: Mapping[str, Recorder], stack: str) -> None:
    """Anonymous off, sign-up off, no telemetry, no update checks, no plugins from outside."""
    ini = settings_of(programs[stack].objects)
    off = {
        "auth.anonymous": ("enabled",),
        "users": ("allow_sign_up", "allow_org_create", "viewers_can_edit"),
        "analytics": ("reporting_enabled", "check_for_updates", "check_for_plugin_updates"),
        "plugins": ("plugin_admin_enabled",),
        "snapshots": ("external_enabled",),
        "news": ("news_feed_enabled",),
    }
    assert [(name, key) for name, keys in off.items() for key in keys if ini.getboolean(name, key)] == []
    assert ini.getboolean("plugins", "preinstall_disabled")
    assert not ini.getboolean("plugins", "preinstall_auto_update")
    assert ini.getboolean("security", "disable_gravatar")


def test_the_password_is_generated_and_stands_in_the_secret_alone() -> None:
    """Not in the environment, not in the settings: Grafana reads a file."""
    secrets = {key: f"<{key}>" for key in ("grafanaAdminPassword", "grafanaSecretKey")}
    objects = record("alpha", platform_of("alpha")).objects
    secret = find(objects, "Secret", "grafana-secrets")
    assert secret["stringData"] == {
        "admin-password": secrets["grafanaAdminPassword"],
        "secret-key": secrets["grafanaSecretKey"],
    }
    others = json.dumps([each for each in objects if each["metadata"]["name"] != secret["metadata"]["name"]])
    assert not [value for value in secrets.values() if value in others]
    security = settings_of(objects)["security"]
    assert security["admin_password"] == "$__file{/etc/grafana/secrets/admin-password}"
    (container,) = find(objects, "Deployment", "grafana")["spec"]["template"]["spec"]["containers"]
    assert container["env"] == []


def test_the_pod_has_no_volume_to_lose(programs: Mapping[str, Recorder]) -> None:
    """Everything that it shows comes from the ConfigMap; two replicas would not share sessions."""
    spec = find(programs["beta"].objects, "Deployment", "grafana")["spec"]
    kinds = {kind for volume in spec["template"]["spec"]["volumes"] for kind in volume if kind != "name"}
    assert (spec["replicas"], kinds) == (1, {"configMap", "secret", "emptyDir"})


@pytest.mark.parametrize("stack", STACKS)
def test_datasources_and_dashboards_cannot_be_changed_in_grafana(programs: Mapping[str, Recorder], stack: str) -> None:
    """A change by hand would be gone with the pod."""
    files = content(programs[stack].objects)
    sources = json.loads(files["datasources.yaml"])["datasources"]
    assert [(each["uid"], each["type"], each["editable"]) for each in sources] == [
        ("prometheus", "prometheus", False),
        ("loki", "loki", False),
    ]
    (provider,) = json.loads(files["providers.yaml"])["providers"]
    assert (provider["disableDeletion"], provider["allowUiUpdates"]) == (True, False)
    boards = [json.loads(text) for name, text in files.items() if name.endswith(".json")]
    assert {board["editable"] for board in boards} == {False}
    used = {query.source for board in boards for query in queries_of(board)}
    assert used == {source["uid"] for source in sources}


def test_it_reaches_prometheus_and_loki_and_only_prometheus_reaches_it(programs: Mapping[str, Recorder]) -> None:
    """Without a host of its own, people come by the kubelet's forwarding, which no policy sees."""
    spec = find(programs["alpha"].objects, "NetworkPolicy", "grafana")["spec"]
    assert spec["ingress"] == [scraped_on(3000)]
    assert [[port["port"] for port in rule["ports"]] for rule in spec["egress"]] == [[3100], [9090], [53, 53]]


def test_with_a_host_the_ingress_controller_reaches_it_by_tls_on_that_host_alone() -> None:
    """One more route, one more rule; the platform's own host stays as it is."""
    objects = record("alpha", alpha_with(WITH_HOST)).objects
    spec = find(objects, "Ingress", "platform")["spec"]
    assert {rule["host"]: rule["http"]["paths"][0]["backend"]["service"]["name"] for rule in spec["rules"]} == {
        "alt-las.local": "api-gateway",
        HOST: "grafana",
    }
    assert {"hosts": [HOST], "secretName": "grafana-tls"} in spec["tls"]
    rule, scraped = find(objects, "NetworkPolicy", "grafana")["spec"]["ingress"]
    assert "namespaceSelector" in rule["from"][0]
    assert scraped == scraped_on(3000)
    ini = settings_of(objects)
    assert (ini["server"]["root_url"], ini["security"]["cookie_secure"]) == (f"https://{HOST}/", "true")


def test_dashboards_that_fit_no_config_map_are_refused() -> None:
    """The API server would refuse them half-way."""
    grafana = alpha_settings().grafana
    assert isinstance(grafana, GrafanaSettings)
    with pytest.raises(ValueError, match="a ConfigMap holds at most 1024000"):
        configuration_content(grafana, Shown((), {"big": {"text": "x" * 1_100_000}}))


def test_a_stack_without_grafana_does_not_pay_for_it() -> None:
    """The builders of dashboards are imported only where there are dashboards."""
    code = (
        "import sys; from tests.support.documents import alpha_with; from rendering.recorder import record; "
        "record('alpha', alpha_with({'grafana': None})); print('grafana_foundation_sdk' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_layout_draws_every_panel_inside_and_none_over_another(programs: Mapping[str, Recorder]) -> None:
    """Measured in the grid that Grafana uses: 24 columns."""
    boards = [json.loads(text) for name, text in content(programs["beta"].objects).items() if name.endswith(".json")]
    for board in boards:
        cells: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            grid = panel["gridPos"]
            own = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
            assert not cells & own, f"{board['title']}: {panel['title']}"
            assert max(x for x, _ in own) < 24
            cells |= own
        spans = [int(line.rpartition(":")[2]) for line in block_diagram(board["panels"]).splitlines()[2:]]
        assert len(spans) >= len(board["panels"])
        assert set(itertools.accumulate(spans)) >= set(range(24, sum(spans), 24)), "every row of the grid is full"
