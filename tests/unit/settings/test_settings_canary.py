"""Settings of canaries: what cannot be split, judged or ever met is refused with both sides and the cure."""

from collections.abc import Mapping
from typing import Any

import pytest

from altlas.release.canary_gates import DEFAULT_GATES, gates_of
from components.settings.canary import CanarySettings
from tests.support.documents import REMOVED, alpha_settings, alpha_with, only_problem

GATEWAY = "services.api-gateway"
CANARY = f"{GATEWAY}.canary"
ON: Mapping[str, Any] = {CANARY: {}, "ingress.api": "gateway"}


def test_the_defaults_are_the_gates_that_were_chosen_by_figures() -> None:
    """One place: the simulation and the objects on the cluster read the same figures."""
    canary = alpha_settings(ON).services.api_gateway.canary
    assert canary == CanarySettings()
    assert gates_of(CanarySettings()) == DEFAULT_GATES
    assert (DEFAULT_GATES.steps, DEFAULT_GATES.interval_seconds, DEFAULT_GATES.threshold) == ((10, 30, 50, 100), 300, 2)
    assert (DEFAULT_GATES.most_errors_percent, DEFAULT_GATES.least_requests) == (0.3, 500)


def test_no_stack_file_s_service_has_a_canary_unless_it_says_so() -> None:
    """Off by default, and its pods are counted twice where it is on."""
    assert alpha_settings().canaries() == ()
    assert alpha_settings(ON).canaries() == ("api-gateway",)
    assert alpha_settings().most_pods()["api-gateway"] == 5
    assert alpha_settings(ON).most_pods()["api-gateway"] == 10


@pytest.mark.parametrize(
    ("changes", "path", "said", "cure"),
    [
        ({f"{GATEWAY}.metrics": REMOVED, f"{GATEWAY}.slo": {}}, GATEWAY, "exports no metrics", "set metrics"),
        (
            {f"{GATEWAY}.autoscaling": REMOVED, f"{GATEWAY}.replicas": 2},
            GATEWAY,
            "replicas is fixed",
            "set autoscaling instead of replicas",
        ),
        ({"ingress.api": "ingress"}, "", "an Ingress has no weights", "write `api: gateway`"),
        ({"ingress.traefik": {"maxBodyMebibytes": 1}}, "", "without Middleware objects", "remove one of them"),
        (
            {"services.runner-service.canary": {}, "services.runner-service.metrics": {}},
            "",
            "ingress.routes does not name runner-service",
            "remove the canary, or add a route",
        ),
        (
            {
                "ingress.tls": {"additional": [{"host": "b.example.com", "secretName": "b"}]},
                "ingress.routes": [
                    {"service": "api-gateway", "path": "/api"},
                    {"service": "api-gateway", "path": "/b", "host": "b.example.com"},
                ],
            },
            "",
            "at 2 hosts (alt-las.local, b.example.com)",
            "keep the routes to one host",
        ),
        (
            {"prometheus": None, "alertmanager": None, "grafana": None},
            "",
            "no Prometheus of the stack's own",
            "add prometheus with mode managed",
        ),
        (
            {CANARY: {"intervalSeconds": 59}},
            "",
            "canary.intervalSeconds (59) is below 60, twice prometheus.scrapeIntervalSeconds (30)",
            "raise intervalSeconds or scrape more often",
        ),
        (
            {CANARY: {"gates": {"leastRequests": 3001}}},
            "",
            "needs 100.033 requests per second, above what the stack is made for (loadTest.maxRequestsPerSecond, 100)",
            "lower leastRequests, or raise intervalSeconds",
        ),
        (
            {CANARY: {"approval": True}},
            "",
            "services.api-gateway.canary.approval is true, but flagger.approvals is not set",
            "add `flagger: {approvals: {}}`",
        ),
    ],
)
def test_a_canary_that_nothing_can_split_or_judge_is_refused(
    changes: Mapping[str, Any], path: str, said: str, cure: str
) -> None:
    """By path and with the cure; the same document without the change is accepted."""
    found, message = only_problem(alpha_with({**ON, **changes}))
    assert found == path
    assert said in message
    assert cure in message


@pytest.mark.parametrize(
    ("canary", "path", "said"),
    [
        ({"gates": {"mostErrorsPercent": None, "latencyFactor": None}}, f"{CANARY}.gates", "no gate is left"),
        ({"gates": {"latencyFactor": 1.0}}, f"{CANARY}.gates.latencyFactor", "greater than 1"),
        ({"gates": {"leastRequests": 0}}, f"{CANARY}.gates.leastRequests", "greater than or equal to 1"),
        ({"gates": []}, f"{CANARY}.gates", ""),
        ({"steps": []}, f"{CANARY}.steps", "at least 1 item"),
        ({"steps": [10, 10, 100]}, CANARY, "must rise from above 0 to 100"),
        ({"steps": [0, 100]}, CANARY, "must rise from above 0 to 100"),
        ({"steps": [10, 50]}, CANARY, "end with 100"),
        ({"intervalSeconds": 9}, f"{CANARY}.intervalSeconds", "greater than or equal to 10"),
        ({"failedChecks": 0}, f"{CANARY}.failedChecks", "greater than or equal to 1"),
    ],
)
def test_steps_and_gates_that_decide_nothing_are_refused(canary: Mapping[str, Any], path: str, said: str) -> None:
    """An empty list of gates would promote everything; a bound at what is usual takes good releases back."""
    found, message = only_problem(alpha_with({**ON, CANARY: canary}))
    assert found == path
    assert said in message


def test_one_gate_beside_the_number_of_requests_is_enough() -> None:
    """Both kinds, each alone; at the bound of what can be met."""
    for left_out in ("mostErrorsPercent", "latencyFactor"):
        gates = {left_out: None, "leastRequests": 3000}
        assert alpha_settings({**ON, CANARY: {"gates": gates}}).canaries() == ("api-gateway",)
