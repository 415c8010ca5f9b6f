"""The evaluator of NetworkPolicies agrees with the letter of the documentation, connection by connection."""

from __future__ import annotations

import ipaddress
from random import Random
from typing import Any

import pytest

from policy.manifests import Manifest
from policy.proof.endpoints import Endpoint
from policy.proof.evaluator import Evaluator
from tests.policy.naive_network import connects
from tests.policy.settings_variations import repeatable

PORTS = tuple((protocol, number) for protocol in ("TCP", "UDP") for number in (53, 80, 81, 443, 8080))
LABELS: tuple[dict[str, str], ...] = ({"app": "web"}, {"app": "web", "track": "canary"}, {"app": "store"}, {})
NAMESPACES = ("shop", "other")
ADDRESSES = ("1.1.1.1", "10.0.0.1", "10.1.0.1", "192.168.0.1")


def pods() -> list[Endpoint]:
    """Pods of all labels in two namespaces, and addresses outside."""
    inside = [
        Endpoint(
            name=f"{namespace}/{number}",
            groups=frozenset(),
            address=ipaddress.ip_address(f"10.0.1.{10 * index + number}"),
            namespace=namespace,
            labels=labels,
            namespace_labels={"team": namespace},
            named_ports={"http": ("TCP", 8080 if number else 80)},
            managed=True,
        )
        for index, namespace in enumerate(NAMESPACES)
        for number, labels in enumerate(LABELS)
    ]
    return [*inside, *(Endpoint(text, frozenset(), ipaddress.ip_address(text)) for text in ADDRESSES)]


def policy(name: str = "policy", namespace: str = "shop", **spec: Any) -> Manifest:
    """A NetworkPolicy."""
    return {
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": {}} | spec,
    }


def possible(policies: list[Manifest]) -> set[tuple[str, str, str, int]]:
    """Every connection that the evaluator finds possible."""
    everybody = pods()
    evaluator = Evaluator(policies, everybody, PORTS)
    return {
        (everybody[source].name, everybody[destination].name, *PORTS[bit])
        for (source, destination), mask in evaluator.reach().items()
        for bit in range(len(PORTS))
        if mask >> bit & 1
    }


def expected(policies: list[Manifest]) -> set[tuple[str, str, str, int]]:
    """Every connection that the documentation finds possible."""
    everybody = pods()
    return {
        (source.name, destination.name, *port)
        for source in everybody
        for destination in everybody
        if source.managed or destination.managed
        for port in PORTS
        if connects(policies, source, destination, *port)
    }


WEB = {"podSelector": {"matchLabels": {"app": "web"}}}
WRITTEN = {
    "nothing isolates": [],
    "deny all": [policy(policyTypes=["Ingress", "Egress"])],
    "deny ingress only": [policy(policyTypes=["Ingress"])],
    "types derived from rules": [policy(egress=[{"to": [{"namespaceSelector": {}}]}])],
    "only ingress without types": [policy(ingress=[{"from": [WEB]}])],
    "an empty list of types": [policy(policyTypes=[], ingress=[{"from": [WEB]}], egress=[{"ports": [{"port": 53}]}])],
    "an empty rule admits all": [policy(policyTypes=["Ingress"], ingress=[{}])],
    "an empty list of peers admits all": [policy(policyTypes=["Ingress"], ingress=[{"from": []}])],
    "both selectors in one peer": [
        policy(ingress=[{"from": [WEB | {"namespaceSelector": {"matchLabels": {"team": "other"}}}]}])
    ],
    "both selectors in two peers": [
        policy(ingress=[{"from": [WEB, {"namespaceSelector": {"matchLabels": {"team": "other"}}}]}])
    ],
    "every namespace": [policy(ingress=[{"from": [{"namespaceSelector": {}}]}])],
    "a block with a hole": [
        policy(
            policyTypes=["Egress"], egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]
        )
    ],
    "a named port": [policy(ingress=[{"ports": [{"port": "http"}]}])],
    "a named port of another protocol": [
        policy(ingress=[{"ports": [{"port": "http", "protocol": "UDP"}, {"port": 443}]}])
    ],
    "a range of ports": [policy(ingress=[{"ports": [{"port": 80, "endPort": 443}]}])],
    "all ports of a protocol": [policy(ingress=[{"ports": [{"protocol": "UDP"}]}])],
    "expressions": [
        policy(
            podSelector={"matchExpressions": [{"key": "track", "operator": "DoesNotExist"}]},
            ingress=[
                {
                    "from": [
                        {"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}}
                    ]
                },
                {
                    "from": [
                        {"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}}
                    ],
                    "ports": [{"port": 53}],
                },
            ],
        )
    ],
    "policies add up": [
        policy("a", ingress=[{"ports": [{"port": 80}]}]),
        policy("b", ingress=[{"ports": [{"port": 81}]}]),
    ],
    "another namespace": [policy(namespace="other", ingress=[{"from": [WEB]}])],
}


@pytest.mark.parametrize("policies", WRITTEN.values(), ids=WRITTEN.keys())
def test_each_feature_is_evaluated_to_the_letter(policies: list[Manifest]) -> None:
    """The fast evaluator and the naive one find the same connections."""
    assert possible(policies) == expected(policies)


def test_each_feature_decides_something() -> None:
    """The control: no two of the written cases allow the same, so that none of them tests nothing."""
    found = {name: frozenset(possible(policies)) for name, policies in WRITTEN.items()}
    same = {"an empty rule admits all", "an empty list of peers admits all", "nothing isolates"}
    different = {name: edges for name, edges in found.items() if name not in same}
    assert len(set(different.values())) == len(different)
    assert {found[name] for name in same} == {found["nothing isolates"]}


def random_selector(chance: Random) -> Manifest:
    """A selector of any form."""
    key = chance.choice(("app", "track"))
    operator = chance.choice(("In", "NotIn", "Exists", "DoesNotExist"))
    values = {"values": ["web", "canary"]} if operator in ("In", "NotIn") else {}
    expressions = {"matchExpressions": [{"key": key, "operator": operator, **values}]}
    return chance.choice(({}, {"matchLabels": chance.choice(LABELS)}, expressions))


def random_peer(chance: Random) -> Manifest:
    """A peer of any form."""
    namespace = {"namespaceSelector": chance.choice(({}, {"matchLabels": {"team": "other"}}))}
    pod = {"podSelector": random_selector(chance)}
    block = {"ipBlock": {"cidr": "0.0.0.0/0", "except": chance.sample(["10.0.0.0/8", "192.168.0.0/16"], 1)}}
    return chance.choice((namespace, pod, namespace | pod, block))


def random_port(chance: Random) -> Manifest:
    """A port of any form."""
    number = {"port": chance.choice((53, 80, 443))}
    return chance.choice(({"protocol": "UDP"}, number, number | {"endPort": 8080}, {"port": "http"}))


def random_policy(name: str, chance: Random) -> Manifest:
    """A policy of any form."""

    def rules(peers: str) -> list[Manifest]:
        return [
            {peers: [random_peer(chance)], "ports": [random_port(chance) for _ in range(chance.randrange(3))]}
            for _ in range(chance.randrange(3))
        ]

    types = chance.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"], []))
    spec = {"podSelector": random_selector(chance), "policyTypes": types}
    return policy(name, chance.choice(NAMESPACES), **spec, ingress=rules("from"), egress=rules("to"))


@pytest.mark.parametrize("seed", range(40))
def test_random_policies_are_evaluated_to_the_letter(seed: int) -> None:
    """Combinations that nobody would write down."""
    chance = repeatable(seed)
    policies = [random_policy(f"policy-{number}", chance) for number in range(4)]
    assert possible(policies) == expected(policies)
