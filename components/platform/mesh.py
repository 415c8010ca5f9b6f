"""Service mesh of a stack: which pods are in it, mutual TLS for everything, and who may call whom.

Istio in ambient mode: no sidecars; the node's proxy tunnels and checks every connection by ServiceAccount and port.
No waypoint is needed, because nothing here is decided by HTTP method or path. Owns no part of the control plane.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import pulumi

from components.kubernetes import naming
from components.kubernetes.object import Manifest
from components.settings import PlatformSettings
from components.settings.mesh import MeshSettings
from components.traffic.graph import ServiceGraph
from components.traffic.observers import EXTERNAL_PROMETHEUS, FLAGGER
from components.workloads.component import ObjectComponent, Surroundings


@dataclass(frozen=True, kw_only=True)
class MeshArgs:
    """The mesh of a stack.

    Attributes:
        surroundings: The stack around it.
        settings: Whether there is a mesh, and which identities it knows.
        foreign_accounts: ServiceAccounts of those whose pods are in another namespace, such as a Prometheus.
    """

    surroundings: Surroundings
    settings: MeshSettings
    foreign_accounts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, platform: PlatformSettings, surroundings: Surroundings) -> Self:
        """Take from the settings of a stack what its mesh needs."""
        external = platform.prometheus.external if platform.prometheus else None
        accounts = {EXTERNAL_PROMETHEUS: external.service_account} if external else {}
        accounts |= {FLAGGER: platform.flagger.service_account}
        return cls(surroundings=surroundings, settings=platform.mesh, foreign_accounts=accounts)


def namespace_labels(mesh: MeshSettings) -> dict[str, str]:
    """Label that puts the pods of the namespace into the mesh; none without a mesh."""
    return {"istio.io/dataplane-mode": mesh.mode} if mesh.is_on else {}


def mesh_manifests(args: MeshArgs) -> dict[str, Manifest]:
    """All objects of the mesh by the part of their logical name that tells them apart; none without a mesh."""
    if not args.settings.is_on:
        return {}
    graph = args.surroundings.graph
    policies = {
        pods: _allow_callers(name, pods, args) for name in sorted(graph.in_mesh) for pods in graph.names_of(name)
    }
    return {
        "mutual-tls": _object("security.istio.io/v1", "PeerAuthentication", "default", args, _MUTUAL_TLS),
        # A policy without rules admits nobody; the others are exceptions from it.
        "deny-all": _authorization("deny-all", args, {}),
        **{name: policy for name, policy in policies.items() if policy},
    }


_MUTUAL_TLS = {"mtls": {"mode": "STRICT"}}


def _allow_callers(name: str, pods: str, args: MeshArgs) -> Manifest | None:
    graph = args.surroundings.graph
    admitted: dict[int, list[str]] = {}
    callers = [_principal_of(caller, args) for caller in graph.callers_of(name)]
    if callers:
        admitted |= {port: list(callers) for port in graph.ports_of(name)}
    if name in graph.entered_from_ingress:
        controller = args.settings.ingress_service_account
        principal = _principal(args, args.surroundings.controller.namespace, controller)
        admitted.setdefault(graph.ports[name], []).append(principal)
    for scrape in graph.scrapes_of(name):
        principals = admitted.setdefault(scrape.port, [])
        principals += {_principal_of(scrape.scraper, args)} - set(principals)
    # A rule without callers would admit everybody, so without them there is no policy.
    return _authorization(pods, args, _only(pods, admitted, graph)) if admitted else None


def _only(name: str, admitted: Mapping[int, Iterable[str]], graph: ServiceGraph) -> dict[str, Any]:
    # Callers and port stand in one rule: two rules would admit every caller, and every port.
    rules = [
        {"from": [{"source": {"principals": list(callers)}}], "to": [{"operation": {"ports": [str(port)]}}]}
        for port, callers in admitted.items()
    ]
    return {"action": "ALLOW", "selector": {"matchLabels": graph.selector_of(name)}, "rules": rules}


def _principal_of(name: str, args: MeshArgs) -> str:
    foreign = args.surroundings.graph.foreign
    if name in foreign and name in args.foreign_accounts:
        return _principal(args, foreign[name], args.foreign_accounts[name])
    return _principal(args, args.surroundings.namespace, name)


def _principal(args: MeshArgs, namespace: str, service_account: str) -> str:
    return f"{args.settings.trust_domain}/ns/{namespace}/sa/{service_account}"


def _authorization(name: str, args: MeshArgs, spec: Mapping[str, Any]) -> Manifest:
    return _object("security.istio.io/v1", "AuthorizationPolicy", name, args, spec)


def _object(api_version: str, kind: str, name: str, args: MeshArgs, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": args.surroundings.namespace, "labels": naming.labels("platform", "mesh")}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": dict(spec)}


class PlatformMesh(ObjectComponent):
    """Strict mutual TLS and an authorization policy for each service, from the service graph; nothing when off.

    Does not own the namespace that is enrolled, nor Istio.
    """

    def __init__(self, name: str, args: MeshArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:platform:Mesh", name, args.surroundings, opts)
        for part, manifest in mesh_manifests(args).items():
            self._register(f"{name}-{part}", manifest)
        self.register_outputs({})
