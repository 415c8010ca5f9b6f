"""Ingress: the route table, its hosts with their certificates, and the class that serves them.

Does not own the controller, its classes, or the certificates themselves.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from components.settings.base import Settings, section, setting
from components.settings.names import DnsLabel, DnsName, NetworkRange, PodLabels

_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")
_HIGHEST_PORT = 65535
_TRAEFIK = "traefik"
"""Class of Traefik, which has no timeout for a single route."""


def _path_prefix(text: str) -> str:
    segments = text[1:].split("/") if text != "/" else []
    if not text.startswith("/") or not all(_SEGMENT.fullmatch(each) and each.strip(".") for each in segments):
        raise ValueError(
            "is not a path prefix; start with '/', end without one, and write no wildcard, '..' or query, such as /api"
        )
    return text


PathPrefix = Annotated[str, AfterValidator(_path_prefix)]


class RouteSettings(Settings):
    """Requests to a host below a path that go to one service, with the path unchanged."""

    service: str = setting("security", "Service that answers.")
    path: PathPrefix = setting(
        "feature",
        "Path prefix, by whole segments: /api covers /api and /api/v1, not /apis. With "
        "`api: ingress` Traefik does so only if it runs with strictPrefixMatching.",
    )
    host: DnsName | None = setting("security", "DNS name of the requests; `ingress.host` where it is left out.", None)
    port: int | None = setting(
        "feature",
        "Port of the service's pods, only to be checked: a route to another than the service's own port is refused.",
        None,
        ge=1,
        le=_HIGHEST_PORT,
    )


class IssuerSettings(Settings):
    """The cert-manager issuer that fills the certificates' secrets. The cluster must have it.

    It must prove the name by DNS (DNS-01): the pods of an HTTP-01 proof would be closed off by the namespace's
    policies.
    """

    kind: Literal["ClusterIssuer", "Issuer"] = setting("security", "Kind of the issuer.", "ClusterIssuer")
    name: DnsName = setting("security", "Name of the issuer.")


class CertificateSettings(Settings):
    """The certificate of one more host."""

    host: DnsName = setting("security", "DNS name that the certificate is for.")
    secret_name: DnsName = setting("security", "Secret of type kubernetes.io/tls in the stack's namespace.")


class TlsSettings(Settings):
    """Certificates. Without an issuer the secrets are made outside the program, such as `kubectl create secret tls`."""

    secret_name: DnsName = setting(
        "identity", "Secret of type kubernetes.io/tls with the certificate of `ingress.host`.", "alt-las-tls"
    )
    issuer: IssuerSettings | None = section("Who issues the certificates, or null for nobody.", None)
    additional: tuple[CertificateSettings, ...] = setting("security", "Certificates of further hosts.", ())


class ListenerSettings(Settings):
    """Ports of the Gateway. Traefik wants those of its own pods here, which are 8000 and 8443 in its chart.

    People still use 80 and 443: the redirect names no port, and Traefik's Service leads from these to its pods'.
    """

    http: int = setting("identity", "Port for plain HTTP, which is only redirected.", 8000, ge=1, le=_HIGHEST_PORT)
    https: int = setting("identity", "Port for HTTPS.", 8443, ge=1, le=_HIGHEST_PORT)

    @model_validator(mode="after")
    def _each_protocol_has_its_port(self) -> Self:
        if self.http == self.https:
            raise ValueError(
                f"http and https are both {self.http}, and a Gateway serves neither then; give each a port of its own"
            )
        return self


class RateLimitSettings(Settings):
    """Limit of requests from one client address."""

    average: int = setting("capacity", "Requests each second in the long run.", ge=1, unit="requests/second")
    burst: int = setting("capacity", "Requests at once.", ge=1, unit="requests")


class TraefikSettings(Settings):
    """Features of Traefik alone, by Middleware objects. The cluster needs Traefik's CRDs."""

    max_body_mebibytes: int | None = setting("security", "Largest request body.", None, ge=1, unit="Mi")
    rate_limit: RateLimitSettings | None = section("Limit for each client address, or null for none.", None)


class IngressSettings(Settings):
    """Public entry point of the platform. Always by TLS."""

    host: DnsName = setting("identity", "DNS name under which api-gateway is reached.")
    controller_namespace: DnsLabel = setting("security", "Namespace of the ingress controller's pods.", "kube-system")
    controller_labels: PodLabels = setting(
        "security",
        "Labels of the ingress controller's pods: only pods with all of them, in its namespace, may send requests.",
        {"app.kubernetes.io/name": "traefik"},
        min_length=1,
    )
    controller_ranges: tuple[NetworkRange, ...] = setting(
        "security",
        "IPv4 ranges that may send requests in addition to these pods, for what has no labels: the subnets of a "
        "cloud's load balancer, or the nodes of a controller in the host network.",
        (),
    )
    api: Literal["ingress", "gateway"] = setting(
        "feature",
        "Either `ingress` (networking.k8s.io/v1) or `gateway` (Gateway API, which needs its CRDs).",
        "ingress",
    )
    class_name: DnsName = setting("identity", "IngressClass or GatewayClass that serves the routes.", _TRAEFIK)
    tls: TlsSettings = section("Certificates of the hosts.", TlsSettings())
    listeners: ListenerSettings = section("Ports of the Gateway.", ListenerSettings())
    request_timeout_seconds: int | None = setting(
        "feature",
        "Time until a request without an answer ends, for `api: gateway` with a controller that keeps it; an Ingress "
        "cannot say it, and Traefik ignores it.",
        None,
        ge=1,
        le=3600,
        unit="seconds",
    )
    traefik: TraefikSettings | None = section("Traefik's Middleware objects, or null for none.", None)
    routes: tuple[RouteSettings, ...] = setting(
        "security",
        "The route table: everything that can be reached from outside.",
        (RouteSettings(service="api-gateway", path="/api"),),
    )

    def host_of(self, route: RouteSettings) -> str:
        """DNS name of a route."""
        return route.host or self.host

    def secret_names(self) -> dict[str, str]:
        """Secret with the certificate of each host."""
        return {self.host: self.tls.secret_name} | {each.host: each.secret_name for each in self.tls.additional}

    @model_validator(mode="after")
    def _certificates_name_each_host_once(self) -> Self:
        hosts = [self.host]
        for index, certificate in enumerate(self.tls.additional):
            if certificate.host in hosts:
                raise ValueError(
                    f"tls.additional[{index}].host is {certificate.host}, which has a certificate already; remove one"
                )
            hosts.append(certificate.host)
        return self

    @model_validator(mode="after")
    def _routes_have_certificates_and_do_not_collide(self) -> Self:
        places: dict[tuple[str, str], int] = {}
        secrets = self.secret_names()
        for index, route in enumerate(self.routes):
            host = self.host_of(route)
            if host not in secrets:
                raise ValueError(
                    f"routes[{index}].host is {host}, which has no certificate, and nothing is served without TLS; "
                    f"add {{host: {host}, secretName: <secret>}} to tls.additional"
                )
            first = places.setdefault((host, route.path), index)
            if first != index:
                raise ValueError(
                    f"routes[{first}] and routes[{index}] both claim {host}{route.path}; give one another path or host"
                )
        return self

    @model_validator(mode="after")
    def _something_can_be_reached(self) -> Self:
        if not self.routes:
            raise ValueError(
                "routes is empty, so nobody could reach the platform; leave it out for api-gateway at /api"
            )
        return self

    @model_validator(mode="after")
    def _timeout_needs_the_gateway_api(self) -> Self:
        if self.api == "ingress" and self.request_timeout_seconds is not None:
            raise ValueError(
                "requestTimeoutSeconds is set, but an Ingress cannot say it; use api: gateway or remove it"
            )
        if self.class_name == _TRAEFIK and self.request_timeout_seconds is not None:
            raise ValueError(
                "requestTimeoutSeconds is set, but Traefik (className traefik) accepts the timeouts of a route and "
                "ignores them; remove it and limit them in Traefik itself (respondingTimeouts of its entry point, or a "
                "ServersTransport with forwardingTimeouts), or name the class of a controller that keeps them"
            )
        return self
