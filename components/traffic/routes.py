"""The route table as manifests: an `Ingress`, or a `Gateway` with `HTTPRoute`s. Always TLS, never a rewritten path.

Pure functions of the settings. Owns neither the controller that reads the objects nor the certificates they name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from components.kubernetes import naming
from components.kubernetes.object import Manifest
from components.settings.ingress import IngressSettings, RouteSettings

_NAME = "platform"
_TRAEFIK_ROUTER = "traefik.ingress.kubernetes.io/router"
_REDIRECT_PATH = "/"
_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class RouteTable:
    """Everything that can be reached from outside, and where it leads.

    Attributes:
        settings: The routes with their hosts and certificates.
        namespace: Namespace of the stack.
        service_ports: Port under which each service is reached, by name.
        canaries: Services whose routes are objects of their own, in which Flagger splits the requests.
    """

    settings: IngressSettings
    namespace: str
    service_ports: Mapping[str, int]
    canaries: frozenset[str] = frozenset()

    def by_host(self) -> dict[str, list[RouteSettings]]:
        """Routes of each host, the longest path first, so that every reader sees which one wins."""
        hosts: dict[str, list[RouteSettings]] = {}
        for route in sorted(self.settings.routes, key=lambda route: (-len(route.path), route.path)):
            hosts.setdefault(self.settings.host_of(route), []).append(route)
        return dict(sorted(hosts.items()))

    def manifests(self) -> dict[str, Manifest]:
        """All objects of the route table, by the part of their logical name that tells them apart."""
        objects = {f"middleware-{name}": self._middleware(name, spec) for name, spec in self._middlewares().items()}
        if self.settings.api == "gateway":
            return objects | self._gateway_objects()
        return objects | self._ingress_objects()

    def split_parts(self) -> dict[str, str]:
        """Services whose requests Flagger splits, by the part of the logical name of their routes."""
        return {f"canary-{service}": service for service in sorted(self.canaries)}

    def _metadata(
        self, name: str, annotations: Mapping[str, str] | None = None, application: str = _NAME
    ) -> dict[str, Any]:
        metadata = {"name": name, "namespace": self.namespace, "labels": route_labels(application)}
        return metadata | ({"annotations": dict(annotations)} if annotations else {})

    def _issuer(self) -> dict[str, str]:
        issuer = self.settings.tls.issuer
        kinds = {"ClusterIssuer": "cluster-issuer", "Issuer": "issuer"}
        return {f"cert-manager.io/{kinds[issuer.kind]}": issuer.name} if issuer else {}

    # Ingress

    def _ingress_objects(self) -> dict[str, Manifest]:
        names = [name for name in self._middlewares() if name != "redirect"]
        routes = self._ingress(_NAME, "websecure", names)
        if self.settings.traefik is None:
            return {"routes": routes}
        # Without TLS there is nothing but the redirect: no request in clear text reaches a service.
        return {"routes": routes, "redirect": self._ingress(f"{_NAME}-redirect", "web", ["redirect"])}

    def _ingress(self, name: str, entry_point: str, middlewares: Iterable[str]) -> Manifest:
        # Nothing here waits for an address: a controller may have none to give, and a cluster may have no controller.
        annotations = {"pulumi.com/skipAwait": "true", f"{_TRAEFIK_ROUTER}.entrypoints": entry_point}
        if used := ",".join(f"{self.namespace}-{_NAME}-{each}@kubernetescrd" for each in middlewares):
            annotations[f"{_TRAEFIK_ROUTER}.middlewares"] = used
        spec: dict[str, Any] = {
            "ingressClassName": self.settings.class_name,
            "rules": [self._ingress_rule(host, routes) for host, routes in self.by_host().items()],
        }
        if entry_point == "websecure":
            annotations |= {f"{_TRAEFIK_ROUTER}.tls": "true"} | self._issuer()
            secrets = self.settings.secret_names()
            spec["tls"] = [{"hosts": [host], "secretName": secrets[host]} for host in self.by_host()]
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": self._metadata(name, annotations),
            "spec": spec,
        }

    def _ingress_rule(self, host: str, routes: Iterable[RouteSettings]) -> dict[str, Any]:
        paths = [
            {
                "path": route.path,
                "pathType": "Prefix",
                "backend": {"service": {"name": route.service, "port": {"name": naming.HTTP_PORT_NAME}}},
            }
            for route in routes
        ]
        return {"host": host, "http": {"paths": paths}}

    # Gateway API

    def _gateway_objects(self) -> dict[str, Manifest]:
        # Not named after the stack's own host, which each phase decides for itself.
        hosts = self.by_host()
        names = {host: "routes" if host == self.settings.host else f"routes-{host}" for host in hosts}
        plain = {host: [each for each in routes if each.service not in self.canaries] for host, routes in hosts.items()}
        routes = {names[host]: self._http_route(host, routes) for host, routes in plain.items() if routes}
        split = {part: self._split_route(service) for part, service in self.split_parts().items()}
        return {"gateway": self._gateway(), "redirect": self._redirect_route(), **routes, **split}

    def _split_route(self, service: str) -> Manifest:
        """Route of a service with a canary: until Flagger puts its weights there, all requests go to the service."""
        routes = [each for routes in self.by_host().values() for each in routes if each.service == service]
        host = self.settings.host_of(routes[0])
        rule = {**self._http_rule(routes[0]), "matches": [path_match(each.path) for each in routes]}
        return self._route(service, [host], [https_listener(host)], [rule], service)

    def _gateway(self) -> Manifest:
        return {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": self._metadata(_NAME, self._issuer()),
            "spec": {
                "gatewayClassName": self.settings.class_name,
                "listeners": [listener for host in self.by_host() for listener in self._listeners(host)],
            },
        }

    def _listeners(self, host: str) -> list[dict[str, Any]]:
        common = {"hostname": host, "allowedRoutes": {"namespaces": {"from": "Same"}}}
        secret = {"group": "", "kind": "Secret", "name": self.settings.secret_names()[host]}
        ports = self.settings.listeners
        return [
            {"name": f"http-{host}", "port": ports.http, "protocol": "HTTP", **common},
            {
                "name": https_listener(host),
                "port": ports.https,
                "protocol": "HTTPS",
                "tls": {"mode": "Terminate", "certificateRefs": [secret]},
                **common,
            },
        ]

    def _http_route(self, host: str, routes: Iterable[RouteSettings]) -> Manifest:
        rules = [self._http_rule(route) for route in routes]
        return self._route(f"{_NAME}-{host}", [host], [https_listener(host)], rules)

    def _http_rule(self, route: RouteSettings) -> dict[str, Any]:
        seconds = self.settings.request_timeout_seconds
        filters = [
            {
                "type": "ExtensionRef",
                "extensionRef": {"group": "traefik.io", "kind": "Middleware", "name": f"{_NAME}-{name}"},
            }
            for name in self._middlewares()
        ]
        backend = {
            "group": "",
            "kind": "Service",
            "name": route.service,
            "port": self.service_ports[route.service],
            "weight": 1,
        }
        return {
            "matches": [path_match(route.path)],
            "backendRefs": [backend],
            **({"filters": filters} if filters else {}),
            **({"timeouts": {"request": f"{seconds}s"}} if seconds else {}),
        }

    def _redirect_route(self) -> Manifest:
        hosts = list(self.by_host())
        rule = {
            "matches": [path_match(_REDIRECT_PATH)],
            "filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}],
        }
        return self._route(f"{_NAME}-redirect", hosts, [f"http-{host}" for host in hosts], [rule])

    def _route(
        self, name: str, hosts: list[str], listeners: Iterable[str], rules: list[Any], application: str = _NAME
    ) -> Manifest:
        return {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": self._metadata(name, application=application),
            "spec": {
                "parentRefs": [parent(listener) for listener in listeners],
                "hostnames": hosts,
                "rules": rules,
            },
        }

    # Traefik

    def _middlewares(self) -> dict[str, Any]:
        """Spec of each Middleware. The Gateway API has a redirect of its own."""
        traefik = self.settings.traefik
        if traefik is None:
            return {}
        specs: dict[str, Any] = {}
        if self.settings.api == "ingress":
            specs["redirect"] = {"redirectScheme": {"scheme": "https", "permanent": True}}
        if traefik.max_body_mebibytes:
            specs["body"] = {"buffering": {"maxRequestBodyBytes": traefik.max_body_mebibytes * _MEBIBYTE}}
        if limit := traefik.rate_limit:
            specs["rate"] = {"rateLimit": {"average": limit.average, "burst": limit.burst}}
        return specs

    def _middleware(self, name: str, spec: Mapping[str, Any]) -> Manifest:
        return {
            "apiVersion": "traefik.io/v1alpha1",
            "kind": "Middleware",
            "metadata": self._metadata(f"{_NAME}-{name}"),
            "spec": dict(spec),
        }


def route_labels(application: str) -> dict[str, str]:
    """Labels of objects of the route table."""
    return naming.labels(application, "edge")


def https_listener(host: str) -> str:
    """Name of the Gateway's listener for HTTPS of a host."""
    return f"https-{host}"


def parent(listener: str) -> dict[str, str]:
    """The Gateway as the parent of a route, by one of its listeners."""
    gateway = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": _NAME}
    return gateway | {"sectionName": listener}


def path_match(path: str) -> dict[str, Any]:
    """Match of a path prefix."""
    return {"path": {"type": "PathPrefix", "value": path}}
