"""NetworkPolicies from the service graph: what a service may receive and send, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from components.settings.egress import DnsSettings, EgressSettings
from components.settings.ingress import IngressSettings
from components.traffic.graph import Scrape, ServiceGraph

_NAMESPACE_LABEL = "kubernetes.io/metadata.name"
_MESH_PORT = 15008
"""Port of HBONE, the tunnel in which pods of an Istio ambient mesh talk to each other."""
_MESH_PROBES = "169.254.7.127/32"
"""Source address that Istio's node agent gives the kubelet's probes, so that they are not taken for other traffic."""
NOT_INTERNET = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
"""IPv4 ranges that are never the internet (RFC 6890): a cluster's own networks and cloud metadata live in them."""

Rule = Mapping[str, Any]


def deny_all() -> dict[str, Any]:
    """Spec that selects every pod of a namespace and allows nothing in either direction."""
    return {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@dataclass(frozen=True)
class IngressController:
    """Senders of the requests from outside: the controller's pods, and addresses.

    Attributes:
        namespace: Their namespace.
        labels: Labels that all of them have; others in that namespace are let in nowhere.
        ranges: Address ranges of what is no such pod, such as a cloud's load balancer.
    """

    namespace: str
    labels: Mapping[str, str]
    ranges: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: IngressSettings) -> Self:
        """The controller that the settings of the ingress name."""
        return cls(settings.controller_namespace, settings.controller_labels, settings.controller_ranges)

    def peers(self) -> list[Mapping[str, Any]]:
        """Peers of a rule, in either direction."""
        return [pods_elsewhere(self.namespace, self.labels), *map(_block, self.ranges)]


def service_policy(name: str, graph: ServiceGraph, controller: IngressController) -> dict[str, Any]:
    """Spec of one service, observer or job: callers and scrapers in; callees, targets, DNS and declared peers out.

    The kubelet's probes need no rule outside a mesh: Kubernetes always lets a node reach its own pods. In a mesh the
    pods' own port stays open in addition to the tunnel's, for probes and for the time in which pods enter the mesh.
    """
    return {
        "podSelector": graph.pod_selector_of(name),
        "policyTypes": ["Ingress", "Egress"],
        "ingress": _ingress(name, graph, controller),
        "egress": [*_egress(name, graph), *_surroundings(name, graph, controller)],
    }


def peers_policy(
    pods: Mapping[str, str],
    callers: Sequence[tuple[Sequence[Mapping[str, str]], Sequence[int]]],
    callees: Sequence[tuple[Mapping[str, str], Sequence[int]]],
    further: Sequence[Mapping[str, Any]] = (),
    *,
    dns: DnsSettings,
) -> dict[str, Any]:
    """Spec of pods with several ports, such as servers that also talk to each other.

    Args:
        pods: Labels of the pods.
        callers: Labels of pods, and the ports that these may reach.
        callees: Labels of pods, and the ports on which these may be reached; DNS comes with the first.
        further: Ingress rules in addition to those of the callers, such as those of monitoring.
        dns: DNS of the cluster.
    """
    ingress = [
        {"from": [own_pods(labels) for labels in peers], "ports": tcp_ports(*ports)}
        for peers, ports in callers
        if peers
    ]
    egress: list[Rule] = [{"to": [own_pods(labels)], "ports": tcp_ports(*ports)} for labels, ports in callees]
    return {
        "podSelector": {"matchLabels": dict(pods)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [*ingress, *further],
        "egress": [*egress, dns_rule(dns)] if egress else [],
    }


def own_pods(labels: Mapping[str, str]) -> Rule:
    """Peer: pods with some labels in the namespace of the policy."""
    return {"podSelector": {"matchLabels": dict(labels)}}


def tcp_ports(*ports: int) -> list[Rule]:
    """TCP ports of a rule."""
    return [_tcp(port) for port in ports]


def dns_rule(dns: DnsSettings) -> dict[str, Any]:
    """Egress rule that lets pods ask the cluster's DNS."""
    return {
        "to": [pods_elsewhere(dns.namespace, dns.labels), *(_block(f"{each}/32") for each in dns.addresses)],
        "ports": [rule for port in dns.ports for rule in ({"protocol": "UDP", "port": port}, _tcp(port))],
    }


def api_server_rule(egress: EgressSettings) -> dict[str, Any]:
    """Egress rule that lets pods ask the API server, at its Service and at its endpoints."""
    to = [_block(f"{address}/32") for address in egress.api_server_addresses]
    return {"to": to, "ports": tcp_ports(*egress.api_server_ports)}


def pods_elsewhere(namespace: str, labels: Mapping[str, str]) -> Rule:
    """Peer: pods with some labels in another namespace."""
    return {
        "namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: namespace}},
        "podSelector": {"matchLabels": dict(labels)},
    }


def _ingress(name: str, graph: ServiceGraph, controller: IngressController) -> list[Rule]:
    peers: list[Rule] = [peer for caller in graph.callers_of(name) for peer in _pods_of(caller, graph)]
    if name in graph.entered_from_ingress:
        peers += controller.peers()
    # A rule without peers would admit everybody, so without callers there is no rule.
    rules: list[Rule] = [{"from": peers, "ports": _ports_of(name, graph)}] if peers else []
    rules += scrape_rules(name, graph)
    if name in graph.observers and graph.observers[name].answers_api_server:
        sources = [_block(each) for each in graph.egress.proxied_ranges]
        rules.append({"from": sources, "ports": [_tcp(graph.ports[name])]})
    if name in graph.in_mesh:
        rules.append({"from": [_block(_MESH_PROBES)], "ports": tcp_ports(*graph.ports_of(name))})
    return rules


def _egress(name: str, graph: ServiceGraph) -> list[Rule]:
    rules: list[Rule] = [
        {"to": _pods_of(callee, graph), "ports": _ports_of(callee, graph)} for callee in graph.callees_of(name)
    ]
    rules += [
        {"to": _pods_of(scrape.target, graph), "ports": _scrape_ports(scrape, graph)}
        for scrape in graph.scrapes_by(name)
    ]
    rules.append(dns_rule(graph.egress.dns))
    return rules


def _surroundings(name: str, graph: ServiceGraph, controller: IngressController) -> list[Rule]:
    """Egress to peers outside the stack: the internet, the API server and the ingress controller."""
    rules = outside_rules(name, graph)
    observer = graph.observers.get(name)
    if observer and observer.reads_api_server:
        rules.append(api_server_rule(graph.egress))
    if observer and observer.ingress_ports:
        rules.append({"to": controller.peers(), "ports": tcp_ports(*observer.ingress_ports)})
    return rules


def outside_rules(name: str, graph: ServiceGraph) -> list[Rule]:
    """Egress rules to the internet, and to what lies in ranges of its own, such as a bucket."""
    rules: list[Rule] = []
    if ports := graph.internet_ports_of(name):
        block = {"ipBlock": {"cidr": "0.0.0.0/0", "except": [*NOT_INTERNET, *graph.egress.private_ranges]}}
        rules.append({"to": [block], "ports": tcp_ports(*ports)})
    rules += [
        {"to": [_block(each) for each in outside.ranges], "ports": [_tcp(outside.port)]}
        for outside in graph.outside_of(name)
        if outside.ranges
    ]
    return rules


def scrape_rules(target: str, graph: ServiceGraph) -> list[dict[str, Any]]:
    """Ingress rules that let those who read the metrics of `target` in, on the port of the metrics and no other."""
    return [
        {"from": _pods_of(scrape.scraper, graph), "ports": _scrape_ports(scrape, graph)}
        for scrape in graph.scrapes_of(target)
    ]


def _scrape_ports(scrape: Scrape, graph: ServiceGraph) -> list[Rule]:
    return [_tcp(scrape.port), *([_tcp(_MESH_PORT)] if scrape.target in graph.in_mesh else [])]


def _pods_of(name: str, graph: ServiceGraph) -> list[Rule]:
    if name in graph.foreign:
        return [pods_elsewhere(graph.foreign[name], graph.selector_of(name))]
    return [own_pods(labels) for labels in graph.selectors_of(name)]


def _ports_of(name: str, graph: ServiceGraph) -> list[Rule]:
    return [_tcp(port) for port in (*graph.ports_of(name), *([_MESH_PORT] if name in graph.in_mesh else []))]


def _block(cidr: str) -> Rule:
    return {"ipBlock": {"cidr": cidr}}


def _tcp(port: int) -> Rule:
    return {"protocol": "TCP", "port": port}
