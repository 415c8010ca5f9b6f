"""Ingress settings: the route table, its hosts and their certificates."""

from typing import Any

import pytest

from tests.support.documents import alpha_settings, alpha_with, only_problem

SERVICES = "api-gateway, runner-service, segmentation-service, ai-orchestrator, archive-service"
API = {"service": "api-gateway", "path": "/api"}
MONITORING = "monitoring.example.com"


def routes(*further: dict[str, Any]) -> dict[str, Any]:
    """Alpha with more than its one route."""
    return alpha_with({"ingress.routes": [API, *further]})


def test_only_the_gateway_below_api_is_reached_unless_a_stack_says_more() -> None:
    """The path stays as it is, on the stack's own host, by TLS."""
    ingress = alpha_settings().ingress
    assert [(route.service, route.path, ingress.host_of(route)) for route in ingress.routes] == [
        ("api-gateway", "/api", "alt-las.local")
    ]
    assert ingress.secret_names() == {"alt-las.local": "alt-las-tls"}


def test_a_route_to_an_unknown_service_is_refused() -> None:
    """Dashboards get a route on the day they exist."""
    assert only_problem(routes({"service": "grafana", "path": "/"})) == (
        "",
        f"ingress.routes[1].service names the unknown service 'grafana'; known: {SERVICES}",
    )


def test_a_route_to_a_port_that_nobody_listens_on_is_refused() -> None:
    """The port can only be checked, not chosen."""
    assert only_problem(routes({"service": "runner-service", "path": "/run", "port": 81})) == (
        "",
        "ingress.routes[1].port is 81, which runner-service does not listen on; write 8080 or leave it out",
    )
    assert alpha_settings({"ingress.routes": [API | {"port": 3000}]}).ingress.routes[0].port == 3000


@pytest.mark.parametrize("second", ["/api", "/api/v1"])
def test_two_routes_of_one_place_collide_and_nested_ones_do_not(second: str) -> None:
    """Kubernetes lets the longest path win, so only equal ones are without a winner."""
    document = routes({"service": "runner-service", "path": second, "host": "alt-las.local"})
    if second == "/api":
        assert only_problem(document) == (
            "ingress",
            "routes[0] and routes[1] both claim alt-las.local/api; give one another path or host",
        )
    else:
        assert len(alpha_settings({"ingress.routes": document["ingress"]["routes"]}).ingress.routes) == 2


def test_a_host_without_a_certificate_is_refused() -> None:
    """With the line that would be right."""
    document = routes({"service": "archive-service", "path": "/", "host": MONITORING})
    assert only_problem(document) == (
        "ingress",
        f"routes[1].host is {MONITORING}, which has no certificate, and nothing is served without TLS; add "
        f"{{host: {MONITORING}, secretName: <secret>}} to tls.additional",
    )
    document["ingress"]["tls"] = {"additional": [{"host": MONITORING, "secretName": "monitoring-tls"}]}
    assert alpha_settings({"ingress": document["ingress"]}).ingress.secret_names()[MONITORING] == "monitoring-tls"


@pytest.mark.parametrize("hosts", [["alt-las.local"], [MONITORING, MONITORING]])
def test_two_certificates_of_one_host_are_refused(hosts: list[str]) -> None:
    """Also one beside that of the stack's own host."""
    additional = [{"host": host, "secretName": "any"} for host in hosts]
    last = len(hosts) - 1
    assert only_problem(alpha_with({"ingress.tls": {"additional": additional}})) == (
        "ingress",
        f"tls.additional[{last}].host is {hosts[last]}, which has a certificate already; remove one",
    )


@pytest.mark.parametrize(
    "path", ["", "api", "/api/", "//", "/a//b", "/api/*", "/api?x", "/..", "/a/./b", "/a b", "/(x)"]
)
def test_a_path_that_is_no_prefix_is_refused(path: str) -> None:
    """Wildcards and regular expressions would be read as plain text, or not at all."""
    found, message = only_problem(alpha_with({"ingress.routes": [API | {"path": path}]}))
    assert found == "ingress.routes[0].path"
    assert message.startswith("is not a path prefix; start with '/', end without one")


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1", "/a.b/c-d_e~f"])
def test_a_path_of_whole_segments_is_taken(path: str) -> None:
    """The control of the test above."""
    assert alpha_settings({"ingress.routes": [API | {"path": path}]}).ingress.routes[0].path == path


def test_a_stack_without_any_route_is_refused() -> None:
    """Nobody could reach it."""
    assert only_problem(alpha_with({"ingress.routes": []})) == (
        "ingress",
        "routes is empty, so nobody could reach the platform; leave it out for api-gateway at /api",
    )


def test_a_timeout_that_an_ingress_cannot_keep_is_refused() -> None:
    """Rather than silently left out."""
    assert only_problem(alpha_with({"ingress.requestTimeoutSeconds": 60})) == (
        "ingress",
        "requestTimeoutSeconds is set, but an Ingress cannot say it; use api: gateway or remove it",
    )
    settings = alpha_settings(
        {"ingress.requestTimeoutSeconds": 60, "ingress.api": "gateway", "ingress.className": "envoy"}
    )
    assert settings.ingress.request_timeout_seconds == 60


def test_a_timeout_that_traefik_ignores_is_refused() -> None:
    """By name, with where to limit requests instead; other classes keep it."""
    path, message = only_problem(alpha_with({"ingress.requestTimeoutSeconds": 60, "ingress.api": "gateway"}))
    assert path == "ingress"
    assert message.startswith("requestTimeoutSeconds is set, but Traefik (className traefik) accepts the timeouts of")
    assert "respondingTimeouts of its entry point" in message


@pytest.mark.parametrize(("key", "value"), [("api", "nodeport"), ("className", "a_b"), ("listeners", {"http": 0})])
def test_what_no_cluster_would_take_is_refused(key: str, value: object) -> None:
    """With the path of the key."""
    assert only_problem(alpha_with({f"ingress.{key}": value}))[0].startswith(f"ingress.{key}")


def test_two_protocols_on_one_port_are_refused() -> None:
    """The Gateway would take both listeners for a conflict and serve nobody."""
    assert only_problem(alpha_with({"ingress.listeners": {"http": 8443}})) == (
        "ingress.listeners",
        "http and https are both 8443, and a Gateway serves neither then; give each a port of its own",
    )
