"""Proves that the NetworkPolicies let through exactly what is declared: not one edge more and not one less.

The kubelet of a pod's own node always reaches it, because Kubernetes exempts that traffic from every policy; it is
neither declared nor judged.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from policy.manifests import Manifest, ManifestSet
from policy.proof.endpoints import DNS, ClusterAddresses, Endpoint, endpoints
from policy.proof.evaluator import CompiledPolicies, Evaluator, Port, representative_ports
from policy.proof.external_pods import strangers, with_any_named_port


@dataclass(frozen=True, order=True)
class Edge:
    """One kind of connection.

    Attributes:
        source: Node that opens it.
        destination: Node that accepts it.
        protocol: TCP, UDP or SCTP.
        port: Port of the destination.
    """

    source: str
    destination: str
    protocol: str
    port: int

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination} {self.protocol}/{self.port}"


def dns_edges(node: str, ports: Iterable[int]) -> Iterator[Edge]:
    """Connections of a node that looks up names."""
    for port in ports:
        for protocol in ("UDP", "TCP"):
            yield Edge(node, DNS, protocol, port)


@dataclass(frozen=True)
class Declaration:
    """Connections that must be possible; no other may be.

    Attributes:
        edges: All declared connections. A node is a workload's name or a group of `policy.proof.endpoints`.
        operator_pods: Labels of pods that no manifest shows because an operator makes them, by node.
        operator_namespace: Namespace of these pods.
        surroundings: Where the cluster keeps what the stack talks to.
    """

    edges: frozenset[Edge]
    operator_pods: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    operator_namespace: str = ""
    surroundings: ClusterAddresses = field(default_factory=ClusterAddresses)


Kind = Literal["extra", "missing", "surplus"]
"""Possible but not declared; declared but not possible; allowed by one end only, and not declared."""


@dataclass(frozen=True, order=True)
class TrafficDifference:
    """One thing that is not as declared.

    Attributes:
        kind: How it differs.
        source: Who opens the connection.
        destination: Who accepts it.
        ports: On which ports, such as `TCP/443`.
        causes: Policies and rules that allow or deny it.
    """

    kind: Kind
    source: str
    destination: str
    ports: tuple[str, ...]
    causes: tuple[str, ...]

    def __str__(self) -> str:
        shown = 4
        ports = ", ".join(self.ports[:shown]) + (f" and {len(self.ports) - shown} more" * (len(self.ports) > shown))
        return f"{self.kind}: {self.source} -> {self.destination} on {ports}, because of {'; '.join(self.causes)}"


@dataclass(frozen=True)
class Proof:
    """Result of the prover.

    Attributes:
        declared: Declared edges.
        proven: Declared edges that are possible from and to every endpoint of their nodes.
        differences: Everything that is not as declared.
    """

    declared: frozenset[Edge]
    proven: frozenset[Edge]
    differences: tuple[TrafficDifference, ...]

    def of_kind(self, kind: Kind) -> tuple[TrafficDifference, ...]:
        """The differences of one kind."""
        return tuple(difference for difference in self.differences if difference.kind == kind)


class CompiledFor:
    """Compiled parts shared by provers, so that stacks that differ in one object compile only that one."""

    def __init__(self) -> None:
        self._known: list[tuple[tuple[Endpoint, ...], CompiledPolicies]] = []

    def endpoints(self, endpoints: tuple[Endpoint, ...]) -> CompiledPolicies:
        """The compiled policies over exactly these endpoints."""
        for known, compiled in self._known:
            if known == endpoints:
                return compiled
        self._known.append((endpoints, {}))
        return self._known[-1][1]


class Prover:
    """Judges policies against a declaration, over everybody and every port that the policies can tell apart.

    Args:
        manifests: All objects of the stack.
        declaration: What must be possible.
        also: Further policies whose addresses and ports are looked at, so that two versions can be compared.
        compiled: What other provers have compiled; is added to.
    """

    def __init__(
        self,
        manifests: Sequence[Manifest],
        declaration: Declaration,
        also: Sequence[Manifest] = (),
        compiled: CompiledFor | None = None,
    ) -> None:
        of_set = ManifestSet(manifests)
        policies = [*of_set.of("NetworkPolicy"), *also]
        self.declaration = declaration
        made_by_operators = {
            (declaration.operator_namespace, node): labels for node, labels in declaration.operator_pods.items()
        }
        known = endpoints(of_set, declaration.surroundings, policies, made_by_operators)
        self.endpoints = with_any_named_port((*known, *strangers(of_set, known, policies)), policies)
        self._compiled = (compiled or CompiledFor()).endpoints(self.endpoints)
        named: list[Port] = [port for endpoint in self.endpoints for port in endpoint.named_ports.values()]
        declared = [(edge.protocol, edge.port) for edge in declaration.edges]
        self.ports = representative_ports(policies, [*named, *declared])

    def evaluate(self, policies: Sequence[Manifest]) -> Evaluator:
        """Prove the reachability under some policies."""
        return Evaluator(policies, self.endpoints, self.ports, self._compiled)

    def prove(self, policies: Sequence[Manifest]) -> Proof:
        """Compare what some policies allow with what is declared."""
        return self.judge(self.evaluate(policies))

    def judge(self, evaluator: Evaluator) -> Proof:
        """Compare what an evaluator has found with what is declared."""
        possible, wanted = evaluator.reach(), self._wanted
        differences: list[TrafficDifference] = []
        unproven: set[Edge] = set()
        for pair in sorted({*evaluator.pairs, *wanted}):
            is_possible, is_wanted = possible.get(pair, 0), wanted.get(pair, 0)
            missing = is_wanted & ~is_possible
            surplus = evaluator.granted(*pair) & ~is_wanted & ~is_possible
            masks: dict[Kind, int] = {"extra": is_possible & ~is_wanted, "missing": missing, "surplus": surplus}
            differences += [self._difference(kind, pair, mask, evaluator) for kind, mask in masks.items() if mask]
            unproven |= self._edges_of(pair, missing, evaluator) if missing else set()
        untested = self._untested()
        differences += [
            TrafficDifference(
                "missing", edge.source, edge.destination, (f"{edge.protocol}/{edge.port}",), ("no such pod",)
            )
            for edge in sorted(untested)
        ]
        declared = self.declaration.edges
        return Proof(declared, declared - unproven - untested, tuple(differences))

    def _untested(self) -> set[Edge]:
        """Edges from or to a node without any endpoint: nothing is known about them, so they are not proven."""
        known = {group for endpoint in self.endpoints for group in endpoint.groups}
        return {edge for edge in self.declaration.edges if not {edge.source, edge.destination} <= known}

    @cached_property
    def _wanted(self) -> dict[tuple[int, int], int]:
        """Mask of the declared ports between two endpoints, for each pair that has any."""
        members: dict[str, list[int]] = {}
        for index, endpoint in enumerate(self.endpoints):
            for group in endpoint.groups:
                members.setdefault(group, []).append(index)
        wanted: dict[tuple[int, int], int] = {}
        numbers = {port: index for index, port in enumerate(self.ports)}
        for edge in self.declaration.edges:
            bit = 1 << numbers[edge.protocol, edge.port]
            for source in members.get(edge.source, ()):
                for destination in members.get(edge.destination, ()):
                    wanted[source, destination] = wanted.get((source, destination), 0) | bit
        return wanted

    def _edges_of(self, pair: tuple[int, int], mask: int, evaluator: Evaluator) -> set[Edge]:
        source, destination = (self.endpoints[index].groups for index in pair)
        return {
            edge
            for edge in self.declaration.edges
            if edge.source in source
            and edge.destination in destination
            and mask & evaluator.mask([(edge.protocol, edge.port)])
        }

    def _difference(self, kind: Kind, pair: tuple[int, int], mask: int, evaluator: Evaluator) -> TrafficDifference:
        source, destination = (self.endpoints[index].name for index in pair)
        causes = evaluator.causes(*pair, mask)
        return TrafficDifference(kind, source, destination, _port_names(self.ports, mask), causes)


def prove(manifests: Sequence[Manifest], declaration: Declaration, compiled: CompiledFor | None = None) -> Proof:
    """Compare what the NetworkPolicies of a stack allow with what is declared."""
    prover = Prover(manifests, declaration, compiled=compiled)
    return prover.prove(ManifestSet(manifests).of("NetworkPolicy"))


def _port_names(ports: Iterable[Port], mask: int) -> tuple[str, ...]:
    # A mask of all ports is the usual one where a policy was lost, so the text of it is looked at digit by digit.
    return tuple(
        f"{protocol}/{number}"
        for (protocol, number), digit in zip(ports, reversed(f"{mask:b}"), strict=False)
        if digit == "1"
    )
