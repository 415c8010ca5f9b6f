"""NetworkPolicies from a graph."""

import dataclasses
import ipaddress

import pytest

from components.traffic.graph import Call, Observer, ServiceGraph
from components.traffic.network_policy import NOT_INTERNET, IngressController, deny_all, dns_rule, service_policy
from tests.support.documents import alpha_settings

GRAPH = ServiceGraph(
    ports={"web": 3000, "worker": 8080, "store": 9000},
    calls=frozenset({Call("web", "worker"), Call("web", "store"), Call("worker", "store")}),
    entered_from_ingress=frozenset({"web"}),
    reaching_internet=frozenset({"store"}),
)
LABELS = {"app.kubernetes.io/name": "traefik", "app.kubernetes.io/instance": "outside"}
CONTROLLER = IngressController("kube-system", LABELS)
DNS = {
    "to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ],
    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
}


def pods(name: str) -> dict[str, object]:
    """A peer: the pods of a service in the same namespace."""
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "alt-las"}
    return {"podSelector": {"matchLabels": labels}}


def tcp(port: int) -> list[dict[str, object]]:
    """A rule's ports."""
    return [{"protocol": "TCP", "port": port}]


def test_the_namespace_policy_selects_all_pods_and_allows_nothing() -> None:
    """Both directions are named and neither has a rule."""
    assert deny_all() == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_a_service_in_the_middle_admits_its_callers_and_reaches_its_callees() -> None:
    """Only on the port of the pods, not of the Service; DNS is for all."""
    assert service_policy("worker", GRAPH, CONTROLLER) == {
        **pods("worker"),
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [pods("web")], "ports": tcp(8080)}],
        "egress": [{"to": [pods("store")], "ports": tcp(9000)}, DNS],
    }


def test_the_service_behind_the_ingress_admits_its_controller_and_nobody_beside_it() -> None:
    """Namespace and labels are settings, because clusters differ in which controller runs where."""
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}},
        "podSelector": {"matchLabels": LABELS},
    }
    assert service_policy("web", GRAPH, IngressController("edge", LABELS))["ingress"] == [
        {"from": [peer], "ports": tcp(3000)}
    ]


def test_in_a_mesh_callers_also_use_the_tunnel_and_probes_have_an_address_of_their_own() -> None:
    """The tunnel's port in both directions, for the same peers; probes only on the pods' own port."""
    meshed = dataclasses.replace(GRAPH, in_mesh=frozenset({"web", "worker"}))
    tunnel = {"protocol": "TCP", "port": 15008}
    probes = {"from": [{"ipBlock": {"cidr": "169.254.7.127/32"}}], "ports": tcp(8080)}
    policy = service_policy("worker", meshed, CONTROLLER)
    assert policy["ingress"] == [{"from": [pods("web")], "ports": [*tcp(8080), tunnel]}, probes]
    assert policy["egress"] == [{"to": [pods("store")], "ports": tcp(9000)}, DNS], "the store is not in the mesh"
    assert {"to": [pods("worker")], "ports": [*tcp(8080), tunnel]} in service_policy("web", meshed, CONTROLLER)[
        "egress"
    ]


def test_a_service_that_nobody_calls_has_no_ingress_rule() -> None:
    """A rule without peers would admit everybody."""
    lonely = ServiceGraph(ports={"web": 3000}, calls=frozenset())
    policy = service_policy("web", lonely, CONTROLLER)
    assert (policy["ingress"], policy["egress"]) == ([], [DNS])


def blocks(*cidrs: str) -> list[dict[str, object]]:
    """Peers by address."""
    return [{"ipBlock": {"cidr": cidr}} for cidr in cidrs]


@pytest.mark.parametrize(
    ("sources", "peers"), [([], ["192.0.2.7/32"]), (["10.42.0.0/24", "192.0.2.8/32"], ["10.42.0.0/24", "192.0.2.8/32"])]
)
def test_the_api_server_is_reached_at_its_endpoints_and_passes_requests_on_from_elsewhere(
    sources: list[str], peers: list[str]
) -> None:
    """Ports of the endpoints are a setting; what it passes on comes from its own ranges, where a stack names some."""
    egress = alpha_settings(
        {
            "egress.apiServerAddresses": ["192.0.2.7"],
            "egress.apiServerPorts": [16443],
            "egress.apiServerSources": sources,
        }
    ).egress
    watcher = Observer(name="watcher", port=9090, reads_api_server=True, answers_api_server=True)
    graph = ServiceGraph(ports={"watcher": 9090}, calls=frozenset(), observers={"watcher": watcher}, egress=egress)
    policy = service_policy("watcher", graph, CONTROLLER)
    assert policy["ingress"] == [{"from": blocks(*peers), "ports": tcp(9090)}]
    assert policy["egress"] == [DNS, {"to": blocks("192.0.2.7/32"), "ports": tcp(16443)}]


def test_dns_is_where_the_settings_say() -> None:
    """Pods by namespace and labels, caches on the nodes by address, and the ports of the pods themselves."""
    there = {"namespace": "dns", "labels": {"app": "dns"}, "addresses": ["169.254.20.10"], "ports": [53, 5353]}
    egress = alpha_settings({"egress.dns": there}).egress
    pods_and_cache = [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "dns"}},
            "podSelector": {"matchLabels": {"app": "dns"}},
        },
        *blocks("169.254.20.10/32"),
    ]
    ports = [{"protocol": protocol, "port": port} for port in (53, 5353) for protocol in ("UDP", "TCP")]
    assert dns_rule(egress.dns) == {"to": pods_and_cache, "ports": ports}
    graph = dataclasses.replace(GRAPH, egress=egress)
    assert dns_rule(egress.dns) in service_policy("worker", graph, CONTROLLER)["egress"]


def test_only_the_declared_service_reaches_the_internet_and_only_by_https() -> None:
    """Public addresses only: a cluster's own networks and cloud metadata are cut out."""
    rule = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": list(NOT_INTERNET)}}], "ports": tcp(443)}
    assert service_policy("store", GRAPH, CONTROLLER)["egress"] == [DNS, rule]
    for name in ("web", "worker"):
        assert rule not in service_policy(name, GRAPH, CONTROLLER)["egress"]


@pytest.mark.parametrize(
    "address", ["10.96.0.1", "172.31.255.254", "192.168.1.1", "169.254.169.254", "127.0.0.1", "100.64.0.1", "224.0.0.1"]
)
def test_addresses_inside_a_cluster_or_a_cloud_are_not_the_internet(address: str) -> None:
    """Above all the API server and the metadata service."""
    assert any(ipaddress.ip_address(address) in ipaddress.ip_network(block) for block in NOT_INTERNET)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "11.0.0.1", "100.128.0.1"])
def test_public_addresses_are_the_internet(address: str) -> None:
    """The cut is not wider than it must be, and each block is well formed."""
    assert not any(ipaddress.ip_address(address) in ipaddress.ip_network(block) for block in NOT_INTERNET)
