"""Configurations accepted by the real programs, and an alert on its whole way: target, rule, Alertmanager, webhook."""

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from altlas.release.dora import as_prometheus, metrics
from altlas.status.monitoring import monitoring_text, read_status
from components.observability.metrics.alertmanager import configuration, needed_secrets
from components.settings.alertmanager import AlertmanagerSettings
from components.stack.loading import parse_platform
from components.traffic.observers import ALERTMANAGER_PORT, PROMETHEUS_PORT
from rendering.errors import CommandError
from tests.observability.loopback_stack import StandIn, on_loopback, stand_in
from tests.support.documents import STACKS, alpha_settings, alpha_with
from tests.support.figures import Figures
from tests.support.known_metrics import exported_metrics
from tests.support.loopback import Process, addresses, answers, wait_until
from tests.support.programs import objects, operator_configuration, program, run, write_rules
from tests.support.promql import dashboards_of, metric_names, queries_of

pytestmark = pytest.mark.data
WEBHOOK = {
    "receivers": [
        {"name": "hook", "webhook": {}},
        {
            "name": "mail",
            "mail": {
                "to": "on-call@example.com",
                "sender": "alerts@example.com",
                "host": "mail.example.com",
                "username": "alerts",
            },
        },
    ],
    "routes": {"page": "hook", "ticket": "mail", "heartbeat": "hook"},
    "groupWaitSeconds": 0,
}
SECRETS = {"alertmanagerWebhookUrl": "https://hooks.example.com/x", "alertmanagerMailPassword": "a-password"}


def alertmanager_settings(document: dict[str, Any]) -> AlertmanagerSettings:
    """Settings of Alertmanager beside alpha's Prometheus."""
    found = parse_platform(alpha_with({"alertmanager": document})).alertmanager
    assert found is not None
    return found


@pytest.mark.parametrize("stack", STACKS)
def test_promtool_accepts_what_the_operator_makes_of_the_monitors(stack: str, tmp_path: Path) -> None:
    """The operator's own code renders the configuration; every monitor is a job of its own."""
    made = objects(stack)
    text = operator_configuration(made)
    path = tmp_path / "prometheus.yml"
    path.write_text(text, encoding="utf-8")
    run("promtool", "check", "config", "--syntax-only", str(path))
    monitors = [each for each in made if each["kind"] in {"ServiceMonitor", "PodMonitor", "Probe"}]
    assert text.count("- job_name: ") == len(monitors) >= 13


@pytest.mark.parametrize("document", [{}, WEBHOOK, {"receivers": WEBHOOK["receivers"]}])
def test_amtool_accepts_the_configuration_of_alertmanager(document: dict[str, Any], tmp_path: Path) -> None:
    """With nobody to tell, with a webhook and a mailbox, and with receivers that no route leads to."""
    path = tmp_path / "alertmanager.yaml"
    path.write_text(configuration(alertmanager_settings(document), SECRETS), encoding="utf-8")
    text = run("amtool", "check-config", str(path))
    assert "SUCCESS" in text
    assert f"{len(document.get('receivers', ())) + 1} receivers" in text


@pytest.mark.parametrize(("severity", "receiver"), [("page", "hook"), ("ticket", "mail"), ("heartbeat", "hook")])
def test_each_severity_reaches_the_receiver_of_its_route(severity: str, receiver: str, tmp_path: Path) -> None:
    """Asked of Alertmanager's own routing."""
    path = tmp_path / "alertmanager.yaml"
    path.write_text(configuration(alertmanager_settings(WEBHOOK), SECRETS), encoding="utf-8")
    found = run("amtool", "config", "routes", "test", f"--config.file={path}", f"severity={severity}", "alertname=A")
    assert found.strip() == receiver


def test_receivers_name_the_secrets_that_they_need() -> None:
    """A webhook without a plain address, and a mailbox with a login."""
    assert needed_secrets(alertmanager_settings(WEBHOOK)) == {
        "alertmanagerWebhookUrl": "alertmanager.receivers[0]",
        "alertmanagerMailPassword": "alertmanager.receivers[1]",
    }


@dataclass(frozen=True)
class Running:
    """A running Prometheus and Alertmanager.

    Attributes:
        prometheus: Address of the one.
        alertmanager: Address of the other.
        stand_in: What they scrape and tell.
    """

    prometheus: str
    alertmanager: str
    stand_in: StandIn

    def ask(self, path: str) -> str:
        """Answer of Prometheus' HTTP API."""
        return _get(f"{self.prometheus}{path}")


def _get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=30) as response:  # noqa: S310  # on this machine
        text: str = response.read().decode()
    return text


@contextmanager
def started(process: Process, address: str, port: int) -> Iterator[None]:
    """A server from its start until the block ends."""
    process.start()
    try:
        wait_until(lambda: answers(address, port), f"{process.name} listens", 60)
        yield
    finally:
        process.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Prometheus and Alertmanager with alpha's rules, on loopback."""
    folder = tmp_path_factory.mktemp("live")
    (address,) = addresses(1, (PROMETHEUS_PORT, ALERTMANAGER_PORT))
    web, alerting = f"{address}:{PROMETHEUS_PORT}", f"{address}:{ALERTMANAGER_PORT}"
    with stand_in() as target:
        secrets = SECRETS | {"alertmanagerWebhookUrl": f"http://127.0.0.1:{target.port}/hook"}
        (folder / "alertmanager.yaml").write_text(configuration(alertmanager_settings(WEBHOOK), secrets))
        made = objects("alpha")
        text = on_loopback(operator_configuration(made), str(write_rules(folder, made)), target.port, alerting)
        (folder / "prometheus.yml").write_text(text)
        run("promtool", "check", "config", str(folder / "prometheus.yml"))
        alertmanager = [
            str(program("alertmanager")),
            f"--config.file={folder}/alertmanager.yaml",
            f"--storage.path={folder}/alerts",
            f"--web.listen-address={alerting}",
            "--cluster.listen-address=",
        ]
        prometheus = [
            str(program("prometheus")),
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/metrics",
            f"--web.listen-address={web}",
            # It tells of its first alerts before it has found Alertmanager, and would say it again after a minute.
            "--rules.alert.resend-delay=1s",
        ]
        (asked,) = (each["spec"] for each in made if each["kind"] == "Prometheus")
        prometheus += ["--web.enable-remote-write-receiver"] if asked["enableRemoteWriteReceiver"] else []
        with (
            started(Process(alertmanager, folder, "alertmanager"), address, ALERTMANAGER_PORT),
            started(Process(prometheus, folder, "prometheus"), address, PROMETHEUS_PORT),
        ):
            yield Running(f"http://{web}", f"http://{alerting}", target)


def test_an_alert_travels_from_its_target_to_the_webhook(running: Running, figures: Figures) -> None:
    """A failed drill is scraped, becomes an alert, is routed as a page, and arrives with its runbook."""
    began = time.monotonic()

    def told() -> bool:
        return {"RestoreDrillFailed", "Watchdog"} <= {each["labels"]["alertname"] for each in running.stand_in.alerts}

    wait_until(told, "the webhook receives the alert", 90)
    (first, *_) = (each for each in running.stand_in.alerts if each["labels"]["alertname"] == "RestoreDrillFailed")
    assert first["labels"] == first["labels"] | {
        "namespace": "alt-las",
        "service": "api-gateway",
        "severity": "page",
        "stack": "alpha",
        "store": "redis",
    }
    assert first["annotations"]["summary"] == "redis: the last restore drill failed"
    assert first["annotations"]["runbook_url"].endswith("/docs/runbooks/restore-drill-failed.md")
    figures.add(
        "observability: 4 live alert",
        f"RestoreDrillFailed seen by the webhook after {time.monotonic() - began:.0f} s, and the Watchdog",
    )


def test_the_targets_of_the_stand_in_are_found_up(running: Running) -> None:
    """The gateway's metrics and a probe of each service, with the labels that the rules ask for."""
    seen: list[dict[str, Any]] = []

    def are_up() -> bool:
        found: list[dict[str, Any]] = json.loads(running.ask("/api/v1/targets?state=active"))["data"]["activeTargets"]
        seen[:] = [each for each in found if each["health"] == "up"]
        return len(seen) == 7

    # All judged as they were seen at one moment: a scrape may be late again a second later.
    wait_until(are_up, "seven targets are up", 60)
    services = sorted((each["labels"]["job"], each["labels"]["service"]) for each in seen)
    assert services[0] == ("api-gateway", "api-gateway")
    assert {job for job, _ in services} == {"api-gateway", "health-probe", "ingress-certificate"}
    assert all(each["labels"]["namespace"] == "alt-las" for each in seen)
    asked = " ".join(running.stand_in.asked)
    assert "module=health" in asked
    assert "runner-service.alt-las.svc%3A8080%2Fapi%2Fv1%2Fhealth" in asked


def test_objectives_are_recorded_for_every_service(running: Running) -> None:
    """Dashboards show these: the promise, and what is left of its budget."""
    query = "/api/v1/query?query=count%20by%20(service)%20(service:slo_budget_remaining:ratio)"

    def services() -> set[str]:
        return {each["metric"]["service"] for each in json.loads(running.ask(query))["data"]["result"]}

    wanted = set(alpha_settings().services.by_name())
    wait_until(lambda: services() == wanted, "a budget for each service", 60)


def test_status_reads_a_real_prometheus(running: Running) -> None:
    """The same reader that `altlas status` uses through the API server."""
    said = [""]

    def is_complete() -> bool:
        said[0] = monitoring_text(read_status(running.ask), alpha_settings())
        return "7 of 7 up" in said[0] and "RestoreDrillFailed" in said[0]

    wait_until(is_complete, "targets and alerts are shown", 60)
    lines = said[0].splitlines()
    assert lines[0] == "targets:  7 of 7 up"
    assert "RestoreDrillFailed api-gateway (page)" in lines[1]
    assert "Watchdog" not in lines[1]
    assert lines[2] == "backups:  unknown: Prometheus has no report of a backup"
    with pytest.raises(CommandError, match="this is not an answer of Prometheus"):
        read_status(lambda _: _get(f"{running.prometheus}/-/ready"))


def test_figures_of_the_ledger_that_are_sent_reach_their_panels(running: Running) -> None:
    """By promtool, as the manual says: each of the five panels shows its figure, and another stack's shows none."""
    none = metrics((), datetime.now(UTC), 30)
    figures = {each.series: number + 0.5 for number, each in enumerate(none)}
    sent = as_prometheus([replace(each, value=figures[each.series]) for each in none], "alpha")
    run("promtool", "push", "metrics", f"{running.prometheus}/api/v1/write", stdin=sent)
    board = dashboards_of(objects("alpha"))["alt-las-deployments.json"]
    asked = [each.expression for each in queries_of(board) if "alt_las_delivery_" in each.expression]
    assert [metric_names(query) for query in asked] == [{name} for name in figures]

    def shown(query: str) -> list[float]:
        found = json.loads(running.ask(f"/api/v1/query?{urllib.parse.urlencode({'query': query})}"))
        return [float(each["value"][1]) for each in found["data"]["result"]]

    wait_until(lambda: [shown(query) for query in asked] == [[figure] for figure in figures.values()], "all are shown")
    assert [shown(query.replace("alpha", "beta")) for query in asked] == [[]] * 5


@pytest.mark.parametrize("exporter", ["prometheus", "alertmanager"])
def test_what_the_list_says_of_a_program_is_what_the_program_exports(running: Running, exporter: str) -> None:
    """The list of known metrics against the running programs."""
    address = running.prometheus if exporter == "prometheus" else running.alertmanager
    names = {line.split()[2] for line in _get(f"{address}/metrics").splitlines() if line.startswith("# TYPE ")}
    listed = {metric.name for metric in exported_metrics() if metric.name.startswith(f"{exporter}_")}
    # A server that stands alone, as here, has no peers to count.
    assert listed - names <= {"alertmanager_cluster_members"}
