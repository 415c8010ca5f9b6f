"""Objects of the Gateway API that tests make and read: a class for Traefik, a certificate, weights of a route."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cluster.certificates import CertificateAuthority, CertificateRequest

GROUP = "gateway.networking.k8s.io/v1"


def gateway_class() -> dict[str, Any]:
    """The class that Traefik accepts once its Gateway provider has found the CRDs."""
    spec = {"controllerName": "traefik.io/gateway-controller"}
    return {"apiVersion": GROUP, "kind": "GatewayClass", "metadata": {"name": "traefik"}, "spec": spec}


def tls_secret(folder: Path, namespace: str, name: str, host: str) -> dict[str, Any]:
    """A certificate of a host for the listener of a Gateway, by an authority that is made in a folder."""
    authority = CertificateAuthority(folder, "ca", "authority of a test")
    pair = authority.ensure(CertificateRequest("host", host, server_names=(host,)))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": pair.certificate.read_text(), "tls.key": pair.key.read_text()},
    }


def route_weights(routes: Iterable[Mapping[str, Any]], name: str) -> dict[str, int]:
    """Weights of the one rule of a route, by Service."""
    (route,) = (each for each in routes if each["metadata"]["name"] == name)
    (rule,) = route["spec"]["rules"]
    return {each["name"]: each["weight"] for each in rule["backendRefs"]}
