"""NetworkPolicies judged one connection at a time, word for word as the Kubernetes documentation has it.

Slow and without any cleverness: the yardstick for `policy.proof.evaluator`, with which it shares no code.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from policy.proof.endpoints import Endpoint

Policy = Mapping[str, Any]
Wanted = tuple[Endpoint, str, int]
"""Destination, protocol and port of a connection."""


def connects(policies: Sequence[Policy], source: Endpoint, destination: Endpoint, protocol: str, port: int) -> bool:
    """Tell whether a connection is possible: the source may send it and the destination may receive it."""
    wanted = (destination, protocol, port)
    return _may(policies, "Egress", (source, destination), wanted) and _may(
        policies, "Ingress", (destination, source), wanted
    )


def _may(policies: Sequence[Policy], direction: str, ends: tuple[Endpoint, Endpoint], wanted: Wanted) -> bool:
    subject, peer = ends
    if subject.namespace is None:
        return True
    isolated = False
    for policy in policies:
        spec = policy["spec"]
        if policy["metadata"]["namespace"] != subject.namespace or not _selects(spec["podSelector"], subject.labels):
            continue
        types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
        if direction not in types:
            continue
        isolated = True
        for rule in spec.get(direction.lower(), []):
            peers = rule.get("from" if direction == "Ingress" else "to", [])
            if peers and not any(_is_peer(each, peer, subject.namespace) for each in peers):
                continue
            ports = rule.get("ports", [])
            if not ports or any(_is_port(each, wanted) for each in ports):
                return True
    return not isolated


def _is_peer(peer: Mapping[str, Any], endpoint: Endpoint, namespace: str) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        if endpoint.address not in ipaddress.ip_network(block["cidr"]):
            return False
        return all(endpoint.address not in ipaddress.ip_network(cidr) for cidr in block.get("except", []))
    if endpoint.namespace is None:
        return False
    if "namespaceSelector" in peer:
        if not _selects(peer["namespaceSelector"], endpoint.namespace_labels):
            return False
    elif endpoint.namespace != namespace:
        return False
    return "podSelector" not in peer or _selects(peer["podSelector"], endpoint.labels)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    for key, value in selector.get("matchLabels", {}).items():
        if key not in labels or labels[key] != value:
            return False
    for expression in selector.get("matchExpressions", []):
        present = expression["key"] in labels
        listed = present and labels[expression["key"]] in expression.get("values", [])
        holds = {"In": listed, "NotIn": not listed, "Exists": present, "DoesNotExist": not present}
        if not holds[expression["operator"]]:
            return False
    return True


def _is_port(entry: Mapping[str, Any], wanted: Wanted) -> bool:
    destination, protocol, number = wanted
    if entry.get("protocol", "TCP") != protocol:
        return False
    port = entry.get("port")
    if port is None:
        return True
    if isinstance(port, str):
        return destination.named_ports.get(port) == (protocol, number)
    return bool(port <= number <= entry.get("endPort", port))
