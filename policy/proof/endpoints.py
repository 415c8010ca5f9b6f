"""Everybody who takes part: the stack's pods, pods around them, and addresses that stand for whole networks."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from components.kubernetes.naming import NAME, primary_of
from policy.manifests import Manifest, ManifestSet, Pod, kind_of, labels_of, name_of, namespace_of
from policy.paths import read
from policy.proof.addresses import Address, is_public, peers_of, representative_addresses
from policy.selectors import Labels

INGRESS = "ingress controller"
DNS = "cluster DNS"
INTERNET = "internet"
API_SERVER = "API server"
API_SERVER_PROXY = "requests that the API server passes on"
DATABASE_OPERATOR = "database operator"
MESH_PROBES = "probes in the mesh"
OTHERS = "nobody in particular"
"""Group of endpoints that no edge ever names, so whatever reaches them is extra."""

NAMESPACE_NAME = "kubernetes.io/metadata.name"
_OPERATOR_LABELS = {"app.kubernetes.io/name": "cloudnative-pg"}
_MESH_PROBE_ADDRESS = ipaddress.IPv4Address("169.254.7.127")
_FIRST_POD_ADDRESS = ipaddress.IPv4Address("10.42.0.10")


def group_of_ranges(ranges: Sequence[str]) -> str:
    """Node of the declared graph that stands for a destination outside the cluster, in ranges that a stack names."""
    return f"addresses in {', '.join(ranges)}"


@dataclass(frozen=True)
class Endpoint:
    """One end of connections: a pod, a group of addresses, a service of the cluster.

    Attributes:
        name: What reports call it.
        groups: Nodes of the declared graph that it belongs to.
        address: Its address; a pod has one, too, because many networks match ipBlocks against pods.
        namespace: Namespace of a pod, or None for an address outside the cluster.
        labels: Labels of a pod.
        namespace_labels: Labels of its namespace.
        named_ports: Number and protocol of each named port.
        managed: Whether it lies in a namespace of the stack.
    """

    name: str
    groups: frozenset[str]
    address: Address
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    named_ports: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    managed: bool = False


@dataclass(frozen=True)
class DnsEndpoints:
    """Endpoints of the cluster's DNS: pods by namespace and labels, and addresses."""

    namespace: str = "kube-system"
    labels: Labels = field(default_factory=lambda: {"k8s-app": "kube-dns"})
    addresses: frozenset[Address] = frozenset()


@dataclass(frozen=True)
class ClusterAddresses:
    """Addresses, namespaces and labels of what the stack talks to in its cluster.

    Attributes:
        ingress_namespace: Namespace of the ingress controller.
        ingress_labels: Labels of the ingress controller's pods.
        ingress_ranges: Ranges of what is no pod and brings requests from outside.
        dns: The cluster's DNS.
        private_ranges: Ranges that are not the internet although they look like it.
        api_server: Addresses of the API server, as far as a stack names them.
        api_server_proxy: Ranges from which requests come that the API server passes on.
        outside: Ranges of each destination outside the cluster, where a stack names them, such as a bucket's.
        database_operator: Namespace of the operator that runs PostgreSQL, where a stack has one.
    """

    ingress_namespace: str = "kube-system"
    ingress_labels: Labels = field(default_factory=lambda: {"app.kubernetes.io/name": "traefik"})
    ingress_ranges: tuple[str, ...] = ()
    dns: DnsEndpoints = field(default_factory=DnsEndpoints)
    private_ranges: tuple[str, ...] = ()
    api_server: frozenset[Address] = frozenset()
    api_server_proxy: tuple[str, ...] = ()
    outside: frozenset[tuple[str, ...]] = frozenset()
    database_operator: str | None = None

    @property
    def named_addresses(self) -> frozenset[Address]:
        """Addresses that a stack names, and the ends of the ranges that it names: judged, whatever policies say."""
        outside = (each for ranges in self.outside for each in ranges)
        ranges = map(ipaddress.ip_network, (*self.ingress_ranges, *self.api_server_proxy, *outside))
        ends = {end for each in ranges for end in (each.network_address, each.broadcast_address)}
        return self.api_server | self.dns.addresses | ends


def endpoints(
    manifests: ManifestSet,
    surroundings: ClusterAddresses,
    policies: Sequence[Manifest],
    operator_pods: Mapping[tuple[str, str], Labels],
) -> tuple[Endpoint, ...]:
    """Everybody whose reachability is judged: pods of the stack, pods around them, and representative addresses.

    Args:
        manifests: All objects of the stack.
        surroundings: Where the cluster keeps what the stack talks to.
        policies: Policies whose addresses must be told apart.
        operator_pods: Labels of pods that no manifest shows, by namespace and node.
    """
    pods = [
        *_own_pods(manifests, operator_pods),
        *_operator_pods(manifests, operator_pods),
        *_unlabelled_pods(manifests),
        *_lookalikes(manifests),
        *_pods_around(manifests, surroundings, operator_pods),
    ]
    numbered = (_with_address(pod, index) for index, pod in enumerate(pods))
    addresses = {*representative_addresses(policies), *surroundings.named_addresses}
    outside = (_outside(each, surroundings) for each in sorted(addresses, key=lambda a: (a.version, int(a))))
    return (*numbered, *outside)


def _with_address(pod: Endpoint, index: int) -> Endpoint:
    return Endpoint(**{**vars(pod), "address": _FIRST_POD_ADDRESS + index})


def _outside(address: Address, surroundings: ClusterAddresses) -> Endpoint:
    if address == _MESH_PROBE_ADDRESS:
        return Endpoint(str(address), frozenset({MESH_PROBES}), address)
    ranges = {
        INGRESS: surroundings.ingress_ranges,
        API_SERVER_PROXY: surroundings.api_server_proxy,
        **{group_of_ranges(ranges): ranges for ranges in surroundings.outside},
    }
    groups = {group for group, within in ranges.items() if _is_in(address, within)}
    groups |= {DNS} if address in surroundings.dns.addresses else set()
    # A public address of the API server is a part of the internet all the same.
    if is_public(address) and not _is_in(address, surroundings.private_ranges):
        groups |= {INTERNET}
    if address in surroundings.api_server:
        return Endpoint(f"the API server at {address}", frozenset({API_SERVER, *groups}), address)
    return Endpoint(str(address), frozenset(groups or {OTHERS}), address)


def _is_in(address: Address, ranges: Iterable[str]) -> bool:
    return any(address in ipaddress.ip_network(each) for each in ranges)


def namespace_labels(manifests: ManifestSet, name: str) -> dict[str, str]:
    """Labels of a namespace, as far as the stack's manifests tell them, with the one that is its name."""
    namespace = next((n for n in manifests.of("Namespace") if name_of(n) == name), {})
    return labels_of(namespace) | {NAMESPACE_NAME: name}


def _named_ports(pod: Pod) -> dict[str, tuple[str, int]]:
    ports = (port for container in pod.containers for port in container.spec.get("ports") or ())
    return {
        str(p["name"]): (p.get("protocol", "TCP"), p["containerPort"])
        for p in ports
        if p.keys() >= {"name", "containerPort"}
    }


def _own_pods(manifests: ManifestSet, nodes: Mapping[tuple[str, str], Labels]) -> Iterator[Endpoint]:
    for pod in manifests.pods:
        name, labels = name_of(pod.owner), namespace_labels(manifests, pod.namespace)
        groups = _nodes_of(pod, nodes) | {f"{kind_of(pod.owner)}/{name}"}
        # A canary's pods run the same program beside the stable ones, under one more label or another name.
        variants = {name: {}, f"{name} (canary)": {"track": "canary"}}
        if manifests.find("Canary", pod.namespace, name) is not None:
            variants[primary_of(name)] = {NAME: primary_of(name)}
        for variant, extra in variants.items():
            pod_labels = pod.labels | extra
            known = (variant, frozenset(groups), _FIRST_POD_ADDRESS, pod.namespace, pod_labels, labels)
            yield Endpoint(*known, _named_ports(pod), managed=True)


def _nodes_of(pod: Pod, nodes: Mapping[tuple[str, str], Labels]) -> set[str]:
    """Nodes that a pod belongs to: those whose labels it carries, and else the one of its application."""
    application = pod.labels.get("app.kubernetes.io/name", name_of(pod.owner))
    by_labels = {
        node for (namespace, node), labels in nodes.items() if namespace == pod.namespace and _carries(pod, labels)
    }
    return by_labels | ({application} if (pod.namespace, application) not in nodes else set())


def _carries(pod: Pod, labels: Labels) -> bool:
    return labels.items() <= pod.labels.items()


def _operator_pods(manifests: ManifestSet, pods: Mapping[tuple[str, str], Labels]) -> Iterator[Endpoint]:
    shown = {node for pod in manifests.pods for node in _nodes_of(pod, pods)}
    for (namespace, name), labels in pods.items():
        if name not in shown:
            yield Endpoint(
                name,
                frozenset({name}),
                _FIRST_POD_ADDRESS,
                namespace,
                labels,
                namespace_labels(manifests, namespace),
                managed=True,
            )


def _unlabelled_pods(manifests: ManifestSet) -> Iterator[Endpoint]:
    for namespace in sorted({namespace_of(policy) for policy in manifests.of("NetworkPolicy")}):
        labels = namespace_labels(manifests, namespace)
        yield Endpoint(
            f"a pod without labels in {namespace}",
            frozenset({OTHERS}),
            _FIRST_POD_ADDRESS,
            namespace,
            {},
            labels,
            managed=True,
        )


def _lookalikes(manifests: ManifestSet) -> Iterator[Endpoint]:
    """Pods that carry one of the labels of a selector that asks for several."""
    seen = set()
    for policy in manifests.of("NetworkPolicy"):
        wanted = read(policy, "spec.podSelector.matchLabels") or {}
        for label in wanted.items() if len(wanted) > 1 else ():
            namespace = namespace_of(policy)
            if (namespace, label) not in seen:
                seen.add((namespace, label))
                yield Endpoint(
                    f"a pod in {namespace} with only the label {label[0]}={label[1]}",
                    frozenset({OTHERS}),
                    _FIRST_POD_ADDRESS,
                    namespace,
                    dict([label]),
                    namespace_labels(manifests, namespace),
                    managed=True,
                )


def _pods_around(
    manifests: ManifestSet, surroundings: ClusterAddresses, operator_pods: Mapping[tuple[str, str], Labels]
) -> Iterator[Endpoint]:
    def foreign(name: str, namespace: str, labels: Labels, groups: Iterable[str] = (OTHERS,)) -> Endpoint:
        return Endpoint(
            name,
            frozenset(groups),
            _FIRST_POD_ADDRESS,
            namespace,
            labels,
            {NAMESPACE_NAME: namespace},
        )

    yield foreign("the ingress controller", surroundings.ingress_namespace, surroundings.ingress_labels, [INGRESS])
    yield foreign("a pod beside the ingress controller", surroundings.ingress_namespace, {})
    for label in surroundings.ingress_labels.items() if len(surroundings.ingress_labels) > 1 else ():
        name = f"a pod beside the ingress controller with only the label {label[0]}={label[1]}"
        yield foreign(name, surroundings.ingress_namespace, dict([label]))
    yield foreign("a pod elsewhere with the labels of the ingress controller", "elsewhere", surroundings.ingress_labels)
    yield foreign("the cluster DNS", surroundings.dns.namespace, surroundings.dns.labels, [DNS])
    yield foreign("a pod in another namespace", "elsewhere", {})
    if surroundings.database_operator:
        yield foreign("the database operator", surroundings.database_operator, _OPERATOR_LABELS, [DATABASE_OPERATOR])
        yield foreign("a pod beside the database operator", surroundings.database_operator, {})
        yield foreign("a pod elsewhere with the labels of the database operator", "elsewhere", _OPERATOR_LABELS)
    yield foreign("a pod elsewhere with the labels of the cluster DNS", "elsewhere", surroundings.dns.labels)
    for pod in manifests.pods:
        yield foreign(f"a pod elsewhere with the labels of {name_of(pod.owner)}", "elsewhere", pod.labels)
    for (_, node), labels in operator_pods.items():
        yield foreign(f"a pod elsewhere with the labels of {node}", "elsewhere", labels)
    known = [
        (surroundings.ingress_namespace, surroundings.ingress_labels),
        (surroundings.dns.namespace, surroundings.dns.labels),
        (surroundings.database_operator, _OPERATOR_LABELS),
    ]
    for namespace, labels in _named_in_peers(manifests):
        node = f"{namespace}/{'+'.join(labels.values())}"
        if (namespace, labels) not in known:
            yield foreign(node, namespace, labels, [node])


def _named_in_peers(manifests: ManifestSet) -> list[tuple[str, dict[str, str]]]:
    """Pods of other namespaces that a policy names by namespace and labels; each is a node, such as an operator."""
    found: list[tuple[str, dict[str, str]]] = []
    for peer in peers_of(manifests.of("NetworkPolicy")):
        namespace = read(peer, f'namespaceSelector.matchLabels["{NAMESPACE_NAME}"]')
        labels = read(peer, "podSelector.matchLabels")
        if namespace and labels and (namespace, labels) not in found:
            found.append((namespace, labels))
    return found
