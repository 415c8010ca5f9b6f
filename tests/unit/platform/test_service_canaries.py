"""Objects of a canary: Flagger's own, and what must know of the pods that Flagger makes."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from altlas.update.preflight import needed_crds, optional_addons
from components.platform.canaries import canary, metric_templates
from components.settings import PlatformSettings
from components.stack.problems import PLATFORM_KEY
from rendering.recorder import run_program
from rendering.root import ROOT
from tests.support.documents import alpha_settings, alpha_with
from tests.support.program import Program, build, configure, find, full_configuration

ON: Mapping[str, Any] = {"services.api-gateway.canary": {}, "ingress.api": "gateway"}
SERVICE, ROUTE = "kubernetes:core/v1:Service", "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
CANARY = "kubernetes:flagger.app/v1beta1:Canary"
BOTH = {
    "matchLabels": {"app.kubernetes.io/part-of": "alt-las"},
    "matchExpressions": [
        {"key": "app.kubernetes.io/name", "operator": "In", "values": ["api-gateway", "api-gateway-primary"]}
    ],
}


def settings(**changes: Any) -> PlatformSettings:
    """Alpha with a canary of the gateway."""
    return alpha_settings({**ON, **changes})


@pytest.fixture(scope="module")
def program() -> Program:
    """The whole of it."""
    values = full_configuration("alpha") | {PLATFORM_KEY: json.dumps(alpha_with(ON))}
    configure(values)
    return build(lambda: run_program(ROOT), "alpha")


def test_the_steps_the_pace_and_the_gates_are_those_of_the_settings() -> None:
    """Each gate has a range and a template; an analysis without metrics would promote unchecked."""
    spec = canary("api-gateway", settings())["spec"]
    analysis = spec["analysis"]
    assert (analysis["stepWeights"], analysis["interval"], analysis["threshold"]) == ([10, 30, 50, 100], "300s", 2)
    assert [(each["name"], each["templateRef"]["name"], each["thresholdRange"]) for each in analysis["metrics"]] == [
        ("requests", "api-gateway-requests", {"min": 500}),
        ("errors", "api-gateway-errors", {"max": 0.3}),
        ("latency", "api-gateway-latency", {"max": 1.1}),
    ]
    assert "skipAnalysis" not in spec
    names = [each["metadata"]["name"] for each in metric_templates("api-gateway", settings())]
    assert names == ["api-gateway-requests", "api-gateway-errors", "api-gateway-latency"]


def test_a_gate_that_is_left_out_has_neither_check_nor_template() -> None:
    """The number of requests is always asked for."""
    changed = settings(**{"services.api-gateway.canary": {"gates": {"latencyFactor": None, "mostErrorsPercent": 2.0}}})
    checks = canary("api-gateway", changed)["spec"]["analysis"]["metrics"]
    assert [(each["name"], each["thresholdRange"]) for each in checks] == [
        ("requests", {"min": 500}),
        ("errors", {"max": 2.0}),
    ]
    assert len(metric_templates("api-gateway", changed)) == 2


def test_a_release_waits_for_a_person_only_where_the_settings_say_so() -> None:
    """One question to Flagger's answerer in the stack's namespace, before the promotion."""
    assert "webhooks" not in canary("api-gateway", settings())["spec"]["analysis"]
    waits = settings(**{"services.api-gateway.canary": {"approval": True}, "flagger": {"approvals": {}}})
    assert canary("api-gateway", waits)["spec"]["analysis"]["webhooks"] == [
        {
            "name": "approval",
            "type": "confirm-promotion",
            "url": "http://canary-approvals.alt-las:8080/confirm",
            "timeout": "5s",
            "muteAlert": False,
        }
    ]


def test_queries_are_about_the_new_release_by_our_labels() -> None:
    """One value each; the usual time is that of the pods that serve."""
    queries = {each["metadata"]["name"]: each["spec"]["query"] for each in metric_templates("api-gateway", settings())}
    new = 'namespace="alt-las",service="api-gateway-canary"'
    requests = f"sum(increase(http_request_duration_ms_count{{{new}}}[{{{{ interval }}}}]))"
    assert queries["api-gateway-requests"] == requests
    assert queries["api-gateway-errors"].endswith(f" / {requests}")
    assert 'code=~"5.."' in queries["api-gateway-errors"]
    new_time, _, usual = queries["api-gateway-latency"].partition(" / ")
    assert new in new_time
    assert 'service="api-gateway"}[1d]' in usual


def test_the_route_has_one_host_and_all_paths_and_the_labels_that_flagger_gives_it(program: Program) -> None:
    """Flagger replaces labels and rules of a route of that name, so both say the same."""
    route = find(program.recorder.objects, "HTTPRoute", "api-gateway")
    service = canary("api-gateway", settings())["spec"]["service"]
    assert route["metadata"]["labels"] == service["apex"]["labels"]
    assert route["spec"]["parentRefs"] == service["gatewayRefs"]
    assert route["spec"]["hostnames"] == service["hosts"] == ["alt-las.local"]
    assert service["match"] == [{"uri": {"prefix": "/api"}}]
    ports = find(program.recorder.objects, "Service", "api-gateway")["spec"]["ports"]
    assert ports == [{"name": "http", "port": 3000, "targetPort": "http", "protocol": "TCP"}]
    assert (service["port"], service["portName"], service["targetPort"]) == (3000, "http", "http")
    (backend,) = route["spec"]["rules"][0]["backendRefs"]
    assert (backend["name"], backend["port"]) == ("api-gateway", 3000)


def test_what_flagger_owns_is_left_to_it(program: Program) -> None:
    """Selector of the Service and rules of the route; nothing else is held, and replicas are not sent."""
    held = {(each.type, each.name): set(each.ignoreChanges) for each in program.requests if each.ignoreChanges}
    assert held == {
        (SERVICE, "api-gateway"): {"spec.selector"},
        (ROUTE, "ingress-canary-api-gateway"): {"spec.rules"},
    }
    assert "replicas" not in find(program.recorder.objects, "Deployment", "api-gateway")["spec"]


def test_a_canary_is_removed_before_the_service_that_it_gives_back(program: Program) -> None:
    """Flagger needs Deployment, Service and route to give them back, so the Canary depends on them."""
    depends = {urn.rpartition("::")[2] for urn in program.request(CANARY, "canaries-api-gateway").dependencies}
    assert {"api-gateway", "ingress-canary-api-gateway", "canaries-api-gateway-errors"} <= depends
    assert canary("api-gateway", settings())["spec"]["revertOnDeletion"] is True


def test_policy_budget_and_monitor_select_the_pods_that_flagger_makes(program: Program) -> None:
    """The labels of a copy differ in its name only."""
    objects = program.recorder.objects
    assert find(objects, "NetworkPolicy", "api-gateway")["spec"]["podSelector"] == BOTH
    assert find(objects, "PodDisruptionBudget", "api-gateway")["spec"]["selector"] == BOTH
    monitored = find(objects, "ServiceMonitor", "api-gateway")["spec"]["selector"]["matchExpressions"]
    assert monitored[0]["values"] == ["api-gateway", "api-gateway-canary"]
    labels = canary("api-gateway", settings())["spec"]["service"]["canary"]["labels"]
    assert labels["app.kubernetes.io/name"] == "api-gateway-canary"
    callers = find(objects, "NetworkPolicy", "redis")["spec"]["ingress"][0]["from"]
    names = [each["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for each in callers]
    assert names[:2] == ["api-gateway", "api-gateway-primary"]


def test_the_idle_autoscaler_of_a_canary_is_no_alert(program: Program) -> None:
    """Flagger scales the canary to none between releases; the autoscaler of the pods that serve is still watched."""
    rules = [each for each in program.recorder.objects if each["kind"] == "PrometheusRule"]
    alerts = [rule for each in rules for group in each["spec"]["groups"] for rule in group["rules"]]
    (inactive,) = (each["expr"] for each in alerts if each.get("alert") == "AutoscalerInactive")
    assert 'horizontalpodautoscaler!~"api-gateway"' in inactive


def test_the_cluster_needs_flagger_s_definitions_only_with_a_canary() -> None:
    """By the path of the setting, with the cure."""
    crds, cure = needed_crds(settings())["services.api-gateway.canary"]
    assert crds == ("canaries.flagger.app", "metrictemplates.flagger.app")
    assert "altlas addons install --with flagger" in cure
    assert "remove `canary`" in cure
    assert optional_addons(settings()) == {"gateway-api", "flagger"}
    assert optional_addons(alpha_settings()) == set()
    assert not any("canary" in path for path in needed_crds(alpha_settings()))
