"""`altlas status` about monitoring: what Prometheus says, and why something is unknown."""

import json
from pathlib import Path
from typing import Any

import pytest

from altlas.session.kubectl import Kubectl
from altlas.status.monitoring import monitoring_status, monitoring_text, read_status
from cluster import Target
from rendering.errors import CommandError
from tests.support.documents import alpha_settings

KIND = Target("kubeconfig", "named by KUBECONFIG")
SIM = Target("sim", "nothing else is there")


def answer(key: str, *items: dict[str, Any]) -> str:
    """An answer of Prometheus."""
    return json.dumps({"status": "success", "data": {key: list(items)}})


def alert(name: str, severity: str, state: str = "firing", **labels: str) -> dict[str, Any]:
    """An alert as the API shows it."""
    return {"state": state, "labels": {"alertname": name, "severity": severity, **labels}}


def api(path: str) -> str:
    """A Prometheus with two targets, a few alerts and two dumps."""
    if path.startswith("/api/v1/targets"):
        up = {"health": "up", "labels": {"job": "redis", "instance": "a:1"}, "lastError": ""}
        down = {"health": "down", "labels": {"job": "nats", "instance": "b:2"}, "lastError": "connection refused"}
        return answer("activeTargets", up, down)
    if path == "/api/v1/alerts":
        return answer(
            "alerts",
            alert("Watchdog", "heartbeat"),
            alert("TargetDown", "ticket", job="nats", instance="b:2"),
            alert("RestoreDrillFailed", "page", store="redis"),
            alert("RolloutStuck", "ticket", state="pending", deployment="a"),
        )
    assert path.startswith("/api/v1/query?query=time%28%29%20-%20max")
    dumps = [("redis", "90"), ("postgres", "93600")]
    return answer("result", *({"metric": {"store": store}, "value": [0, age]} for store, age in dumps))


def test_targets_alerts_and_backups_are_on_one_screen() -> None:
    """Pending alerts are none yet, and the Watchdog is none either."""
    text = monitoring_text(read_status(api), alpha_settings())
    assert text.splitlines() == [
        "targets:  1 of 2 up; down: nats b:2 (connection refused)",
        "alerts:   2 firing: RestoreDrillFailed redis (page), TargetDown nats (ticket)",
        "backups:  postgres 1.1 d, redis 1.5 min old; never yet: nats; 25 h are allowed",
    ]


def test_a_missing_watchdog_and_missing_reports_are_said() -> None:
    """An empty list of alerts is no good news when rules are not evaluated."""

    def silent(path: str) -> str:
        return answer("activeTargets" if "targets" in path else "alerts" if "alerts" in path else "result")

    text = monitoring_text(read_status(silent), alpha_settings())
    assert "0 firing; the Watchdog does not fire" in text
    assert "backups:  unknown: Prometheus has no report of a backup" in text


@pytest.mark.parametrize("text", ["", "<html>no endpoints available</html>", "[]", '{"data": null}'])
def test_what_is_no_answer_of_prometheus_is_refused(text: str) -> None:
    """Such as the page of a proxy."""
    with pytest.raises(CommandError, match="this is not an answer of Prometheus"):
        read_status(lambda _: text)


@pytest.mark.parametrize(
    ("changes", "target", "why"),
    [
        ({"prometheus": None, "alertmanager": None, "grafana": None}, KIND, "the stack has no Prometheus"),
        (
            {
                "prometheus": {"mode": "external", "external": {"monitorLabels": {"release": "x"}}},
                "alertmanager": None,
            },
            KIND,
            "the cluster's own Prometheus scrapes the stack",
        ),
        ({}, SIM, "not proven here: no container runs on sim"),
    ],
)
def test_what_cannot_be_asked_is_unknown_and_says_why(
    changes: dict[str, Any], target: Target, why: str, tmp_path: Path
) -> None:
    """Nothing is started for it."""
    kubectl = Kubectl(tmp_path / "missing", tmp_path / "kubeconfig")
    text = monitoring_text(monitoring_status(alpha_settings(changes), target, kubectl), alpha_settings(changes))
    assert text.startswith(f"monitoring: unknown: {why}")


def test_a_prometheus_that_does_not_answer_is_unknown(tmp_path: Path) -> None:
    """With what the API server's proxy said."""
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\necho 'no endpoints available for service' >&2\nexit 1\n")
    program.chmod(0o755)
    kubectl = Kubectl(program, tmp_path / "kubeconfig")
    text = monitoring_text(monitoring_status(alpha_settings(), KIND, kubectl), alpha_settings())
    assert text.startswith("monitoring: unknown: Prometheus does not answer: `kubectl get --raw /api/v1/namespaces/")
    assert "no endpoints available for service" in text
