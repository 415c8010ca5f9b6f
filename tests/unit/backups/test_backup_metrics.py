"""The exporter of the dumps: what its pod is, what it may ask, and who reaches it."""

from typing import Any

import pytest

from components.stack.loading import parse_platform
from policy.pack.parameters import parameters_of
from rendering.recorder import record
from tests.support.documents import alpha_with, platform_of
from tests.support.program import find

NAME = "backup-metrics"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Alpha with a Prometheus of its own."""
    return alpha_with({"prometheus": {}})


@pytest.fixture(scope="module")
def objects(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Objects that the program deploys for it."""
    return record("alpha", document).objects


def test_the_exporter_may_list_jobs_and_nothing_else(objects: list[dict[str, Any]]) -> None:
    """In its own namespace; no Secret, no log, nothing to change."""
    assert find(objects, "Role", NAME)["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": ["batch"], "resources": ["cronjobs", "jobs"], "verbs": ["list"]},
    ]
    binding = find(objects, "RoleBinding", NAME)
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": NAME, "namespace": "alt-las"}]


def test_only_its_pod_has_a_token_and_the_policy_knows(document: dict[str, Any], objects: list[dict[str, Any]]) -> None:
    """Its account hands none out to others."""
    pod = find(objects, "Deployment", NAME)["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is True
    assert find(objects, "ServiceAccount", NAME)["automountServiceAccountToken"] is False
    parameters = parameters_of("alpha", parse_platform(document))
    assert f"alt-las/{NAME}" in parameters.token_service_accounts


def test_prometheus_reaches_it_and_it_reaches_the_api_server(objects: list[dict[str, Any]]) -> None:
    """And names."""
    spec = find(objects, "NetworkPolicy", NAME)["spec"]
    (rule,) = spec["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 9240}]
    blocks = [peer["ipBlock"]["cidr"] for rule in spec["egress"] for peer in rule["to"] if "ipBlock" in peer]
    assert blocks == ["10.96.0.1/32", "10.43.0.1/32"]


def test_it_is_told_what_the_settings_allow(objects: list[dict[str, Any]]) -> None:
    """The objective travels with the metrics, so that an alert needs no second copy of it."""
    (container,) = find(objects, "Deployment", NAME)["spec"]["template"]["spec"]["containers"]
    assert {each["name"]: each["value"] for each in container["env"]} == {
        "NAMESPACE": "alt-las",
        "RECOVERY_POINT_SECONDS": "90000",
    }


def test_where_nobody_scrapes_there_is_no_exporter() -> None:
    """Nothing holds a token without need."""
    without = record(
        "alpha", platform_of("alpha") | {"prometheus": None, "alertmanager": None, "grafana": None}
    ).objects
    assert [each for each in without if each["metadata"]["name"] == NAME] == []
