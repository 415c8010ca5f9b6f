"""The route table as an Ingress and as a Gateway with its routes."""

from collections.abc import Mapping
from typing import Any

import pytest

from components.kubernetes.object import Manifest
from components.traffic.routes import RouteTable
from tests.support.documents import alpha_settings

OTHER = "archive.example.com"
TWO_HOSTS = {
    "ingress.routes": [
        {"service": "api-gateway", "path": "/api"},
        {"service": "runner-service", "path": "/api/v1/run"},
        {"service": "archive-service", "path": "/", "host": OTHER},
    ],
    "ingress.tls": {"secretName": "own", "additional": [{"host": OTHER, "secretName": "others"}]},
}
PORTS = {"api-gateway": 80, "runner-service": 8080, "archive-service": 9000}
LIMITS = {"maxBodyMebibytes": 10, "rateLimit": {"average": 100, "burst": 200}}
ROUTER = "traefik.ingress.kubernetes.io/router"


def objects(changes: Mapping[str, Any] | None = None) -> dict[str, Manifest]:
    """The manifests of alpha's route table, changed at paths."""
    settings = alpha_settings(changes)
    return RouteTable(settings=settings.ingress, namespace=settings.namespace, service_ports=PORTS).manifests()


def kinds(found: Mapping[str, Manifest]) -> list[tuple[str, str]]:
    """Kind and name of each object."""
    return sorted((each["kind"], each["metadata"]["name"]) for each in found.values())


def test_an_ingress_is_one_object_with_class_host_path_and_certificate() -> None:
    """The path is not rewritten, and no request in clear text is routed."""
    found = objects()
    assert kinds(found) == [("Ingress", "platform")]
    ingress = found["routes"]
    backend = {"service": {"name": "api-gateway", "port": {"name": "http"}}}
    assert ingress["spec"] == {
        "ingressClassName": "traefik",
        "rules": [
            {
                "host": "alt-las.local",
                "http": {"paths": [{"path": "/api", "pathType": "Prefix", "backend": backend}]},
            }
        ],
        "tls": [{"hosts": ["alt-las.local"], "secretName": "alt-las-tls"}],
    }
    assert ingress["metadata"]["annotations"] == {
        "pulumi.com/skipAwait": "true",
        f"{ROUTER}.entrypoints": "websecure",
        f"{ROUTER}.tls": "true",
    }


def test_the_longest_path_comes_first_and_every_host_has_its_certificate() -> None:
    """In both forms the same."""
    spec = objects(TWO_HOSTS)["routes"]["spec"]
    assert [(rule["host"], [path["path"] for path in rule["http"]["paths"]]) for rule in spec["rules"]] == [
        ("alt-las.local", ["/api/v1/run", "/api"]),
        (OTHER, ["/"]),
    ]
    assert spec["tls"] == [
        {"hosts": ["alt-las.local"], "secretName": "own"},
        {"hosts": [OTHER], "secretName": "others"},
    ]
    route = objects(TWO_HOSTS | {"ingress.api": "gateway"})["routes"]
    assert [
        (rule["matches"][0]["path"]["value"], rule["backendRefs"][0]["name"], rule["backendRefs"][0]["port"])
        for rule in route["spec"]["rules"]
    ] == [("/api/v1/run", "runner-service", 8080), ("/api", "api-gateway", 80)]


@pytest.mark.parametrize(("kind", "annotation"), [("ClusterIssuer", "cluster-issuer"), ("Issuer", "issuer")])
def test_an_issuer_is_named_where_cert_manager_looks_for_it(kind: str, annotation: str) -> None:
    """On the Ingress or on the Gateway; never on the redirect."""
    issuer = {"ingress.tls": {"issuer": {"kind": kind, "name": "letsencrypt"}}, "ingress.traefik": {}}
    for api, part in (("ingress", "routes"), ("gateway", "gateway")):
        found = objects(issuer | {"ingress.api": api})
        assert found[part]["metadata"]["annotations"][f"cert-manager.io/{annotation}"] == "letsencrypt"
        assert "cert-manager" not in str(found["redirect"])


def test_traefik_s_own_objects_exist_only_where_a_stack_asks_for_them() -> None:
    """Redirect, body size and rate limit; the redirect alone answers requests in clear text."""
    found = objects({"ingress.traefik": LIMITS})
    assert kinds(found) == [
        ("Ingress", "platform"),
        ("Ingress", "platform-redirect"),
        ("Middleware", "platform-body"),
        ("Middleware", "platform-rate"),
        ("Middleware", "platform-redirect"),
    ]
    assert found["middleware-body"]["spec"] == {"buffering": {"maxRequestBodyBytes": 10485760}}
    assert found["middleware-rate"]["spec"] == {"rateLimit": {"average": 100, "burst": 200}}
    used = {part: found[part]["metadata"]["annotations"][f"{ROUTER}.middlewares"] for part in ("routes", "redirect")}
    assert used == {
        "routes": "alt-las-platform-body@kubernetescrd,alt-las-platform-rate@kubernetescrd",
        "redirect": "alt-las-platform-redirect@kubernetescrd",
    }
    assert found["redirect"]["metadata"]["annotations"][f"{ROUTER}.entrypoints"] == "web"
    assert "tls" not in found["redirect"]["spec"]


def test_a_gateway_has_two_listeners_for_each_host_and_terminates_tls() -> None:
    """Only routes of its own namespace may join."""
    found = objects(TWO_HOSTS | {"ingress.api": "gateway", "ingress.listeners": {"http": 8000, "https": 8443}})
    assert kinds(found) == [
        ("Gateway", "platform"),
        ("HTTPRoute", "platform-alt-las.local"),
        ("HTTPRoute", "platform-archive.example.com"),
        ("HTTPRoute", "platform-redirect"),
    ]
    listeners = found["gateway"]["spec"]["listeners"]
    assert [(each["name"], each["port"], each["hostname"]) for each in listeners] == [
        ("http-alt-las.local", 8000, "alt-las.local"),
        ("https-alt-las.local", 8443, "alt-las.local"),
        (f"http-{OTHER}", 8000, OTHER),
        (f"https-{OTHER}", 8443, OTHER),
    ]
    assert all(each["allowedRoutes"] == {"namespaces": {"from": "Same"}} for each in listeners)
    assert listeners[1]["tls"] == {
        "mode": "Terminate",
        "certificateRefs": [{"group": "", "kind": "Secret", "name": "own"}],
    }


def test_clear_text_reaches_the_redirect_and_nothing_else() -> None:
    """Every route to a service hangs on a listener with TLS."""
    found = objects(TWO_HOSTS | {"ingress.api": "gateway"})
    sections = {
        each["metadata"]["name"]: [parent["sectionName"] for parent in each["spec"]["parentRefs"]]
        for each in found.values()
        if each["kind"] == "HTTPRoute"
    }
    assert sections == {
        "platform-redirect": ["http-alt-las.local", f"http-{OTHER}"],
        "platform-alt-las.local": ["https-alt-las.local"],
        f"platform-{OTHER}": [f"https-{OTHER}"],
    }
    (rule,) = found["redirect"]["spec"]["rules"]
    assert rule["filters"] == [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}]
    assert "backendRefs" not in rule


def test_a_gateway_s_routes_keep_the_timeout_and_the_limits() -> None:
    """The redirect is the Gateway API's own there."""
    found = objects(
        {
            "ingress.api": "gateway",
            "ingress.className": "envoy",
            "ingress.requestTimeoutSeconds": 60,
            "ingress.traefik": LIMITS,
        }
    )
    (rule,) = found["routes"]["spec"]["rules"]
    assert rule["timeouts"] == {"request": "60s"}
    assert [each["extensionRef"]["name"] for each in rule["filters"]] == ["platform-body", "platform-rate"]
    assert {each["metadata"]["name"] for each in found.values() if each["kind"] == "Middleware"} == {
        "platform-body",
        "platform-rate",
    }


def test_without_limits_a_rule_has_neither_filters_nor_timeouts() -> None:
    """An empty list would differ from what the API server keeps."""
    (rule,) = objects({"ingress.api": "gateway"})["routes"]["spec"]["rules"]
    assert rule.keys() == {"matches", "backendRefs"}
