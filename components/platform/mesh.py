"""The mesh as the stack sees it: who is in it, that nothing else is heard, and who may call whom.

Istio in ambient mode: no sidecars; the node's proxy tunnels and checks every connection by ServiceAccount and port.
No waypoint is needed, because nothing here is decided by HTTP method or path. Owns no part of the control plane.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi

from components.kubernetes import naming
from components.kubernetes.object import KubernetesObject, Manifest
from components.settings import PlatformSettings
from components.traffic.graph import ServiceGraph


def namespace_labels(platform: PlatformSettings) -> dict[str, str]:
    """Label that puts the pods of the namespace into the mesh; none without a mesh."""
    return {"istio.io/dataplane-mode": platform.mesh.mode} if platform.mesh.is_on else {}


def mesh_manifests(platform: PlatformSettings, graph: ServiceGraph) -> dict[str, Manifest]:
    """All objects of the mesh by the part of their logical name that tells them apart; none without a mesh."""
    if not platform.mesh.is_on:
        return {}
    policies = {name: _allow_callers(name, platform, graph) for name in sorted(graph.in_mesh)}
    return {
        "mutual-tls": _object("security.istio.io/v1", "PeerAuthentication", "default", platform, _MUTUAL_TLS),
        # A policy without rules admits nobody; the others are exceptions from it.
        "deny-all": _authorization("deny-all", platform, {}),
        **{name: policy for name, policy in policies.items() if policy},
    }


_MUTUAL_TLS = {"mtls": {"mode": "STRICT"}}


def _allow_callers(name: str, platform: PlatformSettings, graph: ServiceGraph) -> Manifest | None:
    admitted: dict[int, list[str]] = {}
    callers = [_principal_of(caller, platform, graph) for caller in graph.callers_of(name)]
    if callers:
        admitted |= {port: list(callers) for port in graph.ports_of(name)}
    if name in graph.entered_from_ingress:
        controller = platform.mesh.ingress_service_account
        principal = _principal(platform, platform.ingress.controller_namespace, controller)
        admitted.setdefault(graph.ports[name], []).append(principal)
    for scrape in graph.scrapes_of(name):
        principals = admitted.setdefault(scrape.port, [])
        principals += {_principal_of(scrape.scraper, platform, graph)} - set(principals)
    # A rule without callers would admit everybody, so without them there is no policy.
    return _authorization(name, platform, _only(name, admitted, graph)) if admitted else None


def _only(name: str, admitted: Mapping[int, Iterable[str]], graph: ServiceGraph) -> dict[str, Any]:
    # Callers and port stand in one rule: two rules would admit every caller, and every port.
    rules = [
        {"from": [{"source": {"principals": list(callers)}}], "to": [{"operation": {"ports": [str(port)]}}]}
        for port, callers in admitted.items()
    ]
    return {"action": "ALLOW", "selector": {"matchLabels": graph.selector_of(name)}, "rules": rules}


def _principal_of(name: str, platform: PlatformSettings, graph: ServiceGraph) -> str:
    if name in graph.foreign and platform.prometheus and platform.prometheus.external:
        return _principal(platform, graph.foreign[name], platform.prometheus.external.service_account)
    return _principal(platform, platform.namespace, name)


def _principal(platform: PlatformSettings, namespace: str, service_account: str) -> str:
    return f"{platform.mesh.trust_domain}/ns/{namespace}/sa/{service_account}"


def _authorization(name: str, platform: PlatformSettings, spec: Mapping[str, Any]) -> Manifest:
    return _object("security.istio.io/v1", "AuthorizationPolicy", name, platform, spec)


def _object(
    api_version: str, kind: str, name: str, platform: PlatformSettings, spec: Mapping[str, Any]
) -> dict[str, Any]:
    metadata = {"name": name, "namespace": platform.namespace, "labels": naming.labels("platform", "mesh")}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": dict(spec)}


class PlatformMesh(pulumi.ComponentResource):
    """Strict mutual TLS and an authorization policy for each service, from the service graph; nothing when off.

    Does not own the namespace that is enrolled, nor Istio.
    """

    def __init__(
        self,
        name: str,
        platform: PlatformSettings,
        graph: ServiceGraph,
        namespace: pulumi.Resource,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("alt-las:platform:Mesh", name, None, opts)
        for part, manifest in mesh_manifests(platform, graph).items():
            options = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
            KubernetesObject(f"{name}-{part}", manifest, options)
        self.register_outputs({})
