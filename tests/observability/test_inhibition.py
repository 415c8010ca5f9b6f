"""Alerts that silence others: asked of the real Alertmanager, with the labels that the rules of a stack give."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.observability.metrics.alertmanager import configuration
from components.settings.alertmanager import AlertmanagerSettings
from components.traffic.observers import ALERTMANAGER_PORT
from tests.observability.test_live import started
from tests.support.documents import STACKS
from tests.support.loopback import Process, addresses, wait_until
from tests.support.programs import objects, program, rules

pytestmark = pytest.mark.data
Labels = dict[str, str]


def labels_of_alerts(stack: str) -> list[Labels]:
    """Labels that every alert of a stack has at least; a number tells those of one name from each other."""
    made = [rule for rule in rules(objects(stack)) if "alert" in rule]
    return [
        {"alertname": rule["alert"], "number": str(number), **rule["labels"]}
        for number, rule in enumerate(made)
        if rule["labels"]["severity"] != "heartbeat"
    ]


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    """Address of an Alertmanager with the configuration of a stack without receivers."""
    (address,) = addresses(1, (ALERTMANAGER_PORT,))
    path = tmp_path / "alertmanager.yaml"
    path.write_text(configuration(AlertmanagerSettings.model_validate({"groupWaitSeconds": 0}), {}), encoding="utf-8")
    command = [
        str(program("alertmanager")),
        f"--config.file={path}",
        f"--storage.path={tmp_path}/alerts",
        f"--web.listen-address={address}:{ALERTMANAGER_PORT}",
        "--cluster.listen-address=",
    ]
    with started(Process(command, tmp_path, "alertmanager"), address, ALERTMANAGER_PORT):
        yield f"http://{address}:{ALERTMANAGER_PORT}/api/v2/alerts"


def _asked(address: str, body: list[dict[str, Labels]] | None = None) -> list[dict[str, Any]]:
    request = urllib.request.Request(  # noqa: S310  # on this machine
        address, json.dumps(body).encode() if body else None, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310  # on this machine
        found: list[dict[str, Any]] = json.loads(response.read() or "[]")
    return found


def silenced(address: str, alerts: list[Labels]) -> list[Labels]:
    """Labels of the alerts that are silenced while all of them fire."""
    _asked(address, [{"labels": each} for each in alerts])

    def known() -> bool:
        return len([each for each in _asked(address) if each["status"]["state"] != "unprocessed"]) == len(alerts)

    wait_until(known, "Alertmanager has processed all alerts", 60)
    return [each["labels"] for each in _asked(address) if each["status"]["inhibitedBy"]]


@pytest.mark.parametrize("stack", STACKS)
def test_a_page_silences_only_the_ticket_about_the_same_objective(stack: str, alertmanager: str) -> None:
    """All alerts fire at once; Alertmanager holds back the tickets whose objective has a page, and no other."""
    alerts = labels_of_alerts(stack)
    found = {(each["alertname"], each.get("service")) for each in silenced(alertmanager, alerts)}
    assert found == {
        (each["alertname"], each["service"]) for each in alerts if each["severity"] == "ticket" and "slo" in each
    }
    assert len(found) >= 9


def test_a_page_about_another_objective_silences_nothing(alertmanager: str) -> None:
    """The control: without its own page each ticket reaches its receiver, also that of a service with other pages."""
    alerts = [
        each
        for each in labels_of_alerts("alpha")
        if "slo" not in each or (each["severity"] == "page") == (each["slo"] == "latency")
    ]
    assert any(each["severity"] == "ticket" and "slo" in each for each in alerts)
    assert silenced(alertmanager, alerts) == []
