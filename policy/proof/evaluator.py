"""Evaluates NetworkPolicies over endpoints and ports. Sets of ports are bit masks: a stack takes milliseconds."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from policy.manifests import Manifest, name_of, namespace_of
from policy.paths import read
from policy.proof.endpoints import Endpoint
from policy.rules.traffic import policy_directions
from policy.selectors import matches

Port = tuple[str, int]
"""Protocol and number."""

INGRESS, EGRESS = "Ingress", "Egress"
_PEERS = {INGRESS: "from", EGRESS: "to"}
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_USUAL_PORTS = (22, 53, 80, 443, 5432, 6443, 10250)
_HIGHEST_PORT = 65535
_network = lru_cache(ipaddress.ip_network)


def representative_ports(policies: Iterable[Manifest], named: Iterable[Port]) -> tuple[Port, ...]:
    """Every port that policies can tell apart, with its neighbours, and a few that intruders try first."""
    numbers = set(_USUAL_PORTS) | {number for _, number in named}
    for policy in policies:
        for direction in ("ingress", "egress"):
            for rule in read(policy, f"spec.{direction}") or ():
                for port in rule.get("ports") or ():
                    numbers |= {n for key in ("port", "endPort") if isinstance(n := port.get(key), int)}
    around = {near for number in numbers for near in (number - 1, number, number + 1) if 1 <= near <= _HIGHEST_PORT}
    return tuple((protocol, number) for protocol in _PROTOCOLS for number in sorted(around))


@dataclass(frozen=True)
class Grant:
    """One rule of one policy, compiled.

    Attributes:
        source: The policy and the rule's index, as reports name them.
        peers: Indexes of the endpoints that it admits.
        ports: The rule's ports as written; None admits every port.
    """

    source: str
    peers: frozenset[int]
    ports: tuple[Any, ...] | None


@dataclass(frozen=True)
class Compiled:
    """One direction of one policy, compiled.

    Attributes:
        policy: The policy itself; holding it keeps its identity from being given to another one.
        name: What reports call it.
        subjects: Indexes of the endpoints that it isolates.
        grants: Its rules.
    """

    policy: Manifest
    name: str
    subjects: tuple[int, ...]
    grants: tuple[Grant, ...]


CompiledPolicies = dict[tuple[int, str], Compiled]
"""Compiled policies by identity and direction, for evaluators of the same endpoints to share."""


class Evaluator:
    """Connections that some policies allow, between all endpoints.

    Args:
        policies: The policies.
        endpoints: Everybody who takes part.
        ports: Every port that is looked at.
        compiled: What earlier evaluators of the same endpoints have compiled; is added to.

    Attributes:
        endpoints: Everybody who takes part.
        ports: Every port that is looked at; bit n of a mask stands for port n.
        everything: Mask of all ports.
    """

    def __init__(
        self,
        policies: Sequence[Manifest],
        endpoints: Sequence[Endpoint],
        ports: Sequence[Port],
        compiled: CompiledPolicies | None = None,
    ) -> None:
        self._compiled = {} if compiled is None else compiled
        self.endpoints = tuple(endpoints)
        self.ports = tuple(ports)
        self.everything = (1 << len(self.ports)) - 1
        self._bits = {port: 1 << index for index, port in enumerate(self.ports)}
        self._numeric_masks: dict[tuple[str, int, int], int] = {}
        self._rows: dict[tuple[int, str], dict[int, int] | None] = {}
        self._isolating = {direction: self._isolating_policies(policies, direction) for direction in (INGRESS, EGRESS)}

    def mask(self, ports: Iterable[Port]) -> int:
        """The mask of some ports. Ports that are not looked at are left out."""
        return sum({self._bits.get(port, 0) for port in ports})

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Sources and destinations between which the stack's end allows anything, in order.

        A pod and itself stand for two replicas. Where the stack's own end allows nothing, nothing is possible.
        """
        found: set[tuple[int, int]] = set()
        for subject, endpoint in enumerate(self.endpoints):
            if endpoint.managed:
                for direction in (EGRESS, INGRESS):
                    row = self._row(subject, direction)
                    peers = range(len(self.endpoints)) if row is None else row
                    found |= {(subject, peer) if direction == EGRESS else (peer, subject) for peer in peers}
        return tuple(sorted(found))

    def reach(self) -> dict[tuple[int, int], int]:
        """Mask of the ports on which a source reaches a destination, for each pair that does at all."""
        return {pair: mask for pair in self.pairs if (mask := self.both(*pair))}

    def both(self, source: int, destination: int) -> int:
        """Mask of the ports that both ends allow."""
        return self.allowed(source, destination, EGRESS) & self.allowed(source, destination, INGRESS)

    def allowed(self, source: int, destination: int, direction: str) -> int:
        """Mask of the ports that one direction's policies allow between two endpoints."""
        subject, peer = (source, destination) if direction == EGRESS else (destination, source)
        row = self._row(subject, direction)
        return self.everything if row is None else row.get(peer, 0)

    def granted(self, source: int, destination: int) -> int:
        """Mask of the ports that the policies of at least one end allow on purpose."""
        sending, receiving = self._row(source, EGRESS), self._row(destination, INGRESS)
        return (sending.get(destination, 0) if sending else 0) | (receiving.get(source, 0) if receiving else 0)

    def _row(self, subject: int, direction: str) -> dict[int, int] | None:
        """Mask for each peer that one direction's policies of an endpoint admit, or None where nothing isolates it."""
        key = (subject, direction)
        if key not in self._rows:
            grants = self._grants(subject, direction)
            row: dict[int, int] = {}
            for grant in grants or ():
                for peer in grant.peers:
                    row[peer] = row.get(peer, 0) | self._port_mask(grant, peer if direction == EGRESS else subject)
            self._rows[key] = None if grants is None else row
        return self._rows[key]

    def causes(self, source: int, destination: int, mask: int) -> tuple[str, ...]:
        """Policies and rules that allow or deny some ports between two endpoints."""
        found: list[str] = []
        for direction in (EGRESS, INGRESS):
            subject, peer = (source, destination) if direction == EGRESS else (destination, source)
            grants = self._grants(subject, direction)
            name = self.endpoints[subject].name
            if grants is None:
                if self.endpoints[subject].managed:
                    found.append(f"no NetworkPolicy isolates {name} for {direction.lower()}")
            elif self.allowed(source, destination, direction) & mask:
                found += [g.source for g in grants if peer in g.peers and self._port_mask(g, destination) & mask]
            else:
                policies = ", ".join(self._isolating[direction][subject][0])
                found.append(f"no {direction.lower()} rule of {policies}")
        return tuple(dict.fromkeys(found))

    def _grants(self, subject: int, direction: str) -> tuple[Grant, ...] | None:
        isolating = self._isolating[direction].get(subject)
        return None if isolating is None else isolating[1]

    def _isolating_policies(
        self, policies: Sequence[Manifest], direction: str
    ) -> dict[int, tuple[tuple[str, ...], tuple[Grant, ...]]]:
        """For each isolated endpoint the names of the policies that select it, and all their rules."""
        found: dict[int, tuple[tuple[str, ...], tuple[Grant, ...]]] = {}
        for policy in policies:
            if direction not in policy_directions(policy):
                continue
            key = (id(policy), direction)
            if key not in self._compiled:
                self._compiled[key] = self._compile(policy, direction)
            compiled = self._compiled[key]
            for index in compiled.subjects:
                names, known = found.get(index, ((), ()))
                found[index] = ((*names, compiled.name), (*known, *compiled.grants))
        return found

    def _compile(self, policy: Manifest, direction: str) -> Compiled:
        name, namespace = f"NetworkPolicy {namespace_of(policy)}/{name_of(policy)}", namespace_of(policy)
        selector = read(policy, "spec.podSelector") or {}
        subjects = tuple(
            index
            for index, endpoint in enumerate(self.endpoints)
            if endpoint.namespace == namespace and matches(selector, endpoint.labels)
        )
        return Compiled(policy, name, subjects, tuple(self._grants_of(policy, name, direction)))

    def _grants_of(self, policy: Manifest, name: str, direction: str) -> Iterable[Grant]:
        namespace = namespace_of(policy)
        for index, rule in enumerate(read(policy, f"spec.{direction.lower()}") or ()):
            peers = rule.get(_PEERS[direction]) or None
            admitted = frozenset(
                number
                for number, endpoint in enumerate(self.endpoints)
                if peers is None or any(_is_peer(peer, endpoint, namespace) for peer in peers)
            )
            ports = rule.get("ports") or None
            yield Grant(f"{name} {direction.lower()}[{index}]", admitted, tuple(ports) if ports else None)

    def _port_mask(self, grant: Grant, destination: int) -> int:
        if grant.ports is None:
            return self.everything
        mask = 0
        for entry in grant.ports:
            protocol, port = entry.get("protocol", "TCP"), entry.get("port")
            if isinstance(port, str):
                # A named port means whatever the destination calls so.
                named = self.endpoints[destination].named_ports.get(port)
                mask |= self._bits.get(named, 0) if named and named[0] == protocol else 0
            elif port is None:
                mask |= self._numeric_mask(protocol, 1, _HIGHEST_PORT)
            else:
                mask |= self._numeric_mask(protocol, port, entry.get("endPort") or port)
        return mask

    def _numeric_mask(self, protocol: str, first: int, last: int) -> int:
        key = (protocol, first, last)
        if key not in self._numeric_masks:
            self._numeric_masks[key] = sum(
                bit for (known, number), bit in self._bits.items() if known == protocol and first <= number <= last
            )
        return self._numeric_masks[key]


def _is_peer(peer: Manifest, endpoint: Endpoint, policy_namespace: str) -> bool:
    block = peer.get("ipBlock")
    if block is not None:
        return _in_block(block, endpoint)
    if endpoint.namespace is None:
        return False
    of_namespace, of_pod = peer.get("namespaceSelector"), peer.get("podSelector")
    if of_namespace is None and endpoint.namespace != policy_namespace:
        return False
    return matches(of_namespace or {}, endpoint.namespace_labels) and matches(of_pod or {}, endpoint.labels)


def _in_block(block: Manifest, endpoint: Endpoint) -> bool:
    excluded = block.get("except") or ()
    inside = endpoint.address in _network(block["cidr"])
    return inside and not any(endpoint.address in _network(cidr) for cidr in excluded)
