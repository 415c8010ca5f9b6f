"""Gate: every destination that a pod's configuration names is an edge of the declared graph, so the prover misses it.

Destinations are host names with their ports (tests/support/host_names.py), the API server for pods with a token, and
DNS for pods that are given a name. The cluster's own ingress controller is known by its namespace only.
"""

import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from policy.manifests import Manifest, ManifestSet, Pod, kind_of, name_of
from policy.paths import read
from policy.proof.declaration import declaration_of
from policy.proof.endpoints import API_SERVER, DNS, INGRESS, INTERNET
from policy.proof.reachability import Declaration, Prover
from policy.selectors import matches
from policy.stacks import Stack, load_stack, read_document
from tests.support.documents import STACKS
from tests.support.host_names import Sighting, of_cluster, sightings

BUCKET = {"endpoint": "https://s3.example.com:9000", "bucket": "backups"}
MAIL = {"to": "a@example.com", "sender": "b@example.com", "host": "relay.example.com"}
RELAY = {"name": "relay", "mail": MAIL, "ranges": ["192.168.8.0/24"]}
CHAT = {"name": "chat", "webhook": {"url": "https://chat.example.com:8443/hook"}}
ALL_OUTSIDE: dict[str, Any] = {
    "backup": {"objectStore": BUCKET},
    "loki": {"objectStore": BUCKET | {"since": "2027-01-01", "ranges": ["192.168.7.0/28"]}},
    "alertmanager": {"receivers": [RELAY, CHAT], "routes": {"page": "chat", "ticket": "relay"}},
}


READ_ONLY = {("ai-orchestrator", "runner-service"), ("ai-orchestrator", "segmentation-service")}
"""Names that a program reads and never connects to: its settings have these addresses, and its code calls neither."""


@functools.cache
def stack_of(name: str, *, outside: bool = False, mesh: bool = False) -> Stack:
    """A stack, with everything outside that settings can name, and in a mesh."""
    document = read_document(name)
    if outside:
        document |= {key: (document.get(key) or {}) | block for key, block in ALL_OUTSIDE.items()}
    return load_stack(name, document | ({"mesh": {"mode": "ambient"}} if mesh else {}))


class Graph:
    """The declared graph of a stack, asked by names of pods and of hosts."""

    def __init__(self, stack: Stack, manifests: list[Manifest]) -> None:
        self.stack = stack
        self.objects = ManifestSet(manifests)
        self.declaration: Declaration = declaration_of(stack.platform)
        self.endpoints = Prover(manifests, self.declaration).endpoints

    def missing(self) -> Iterator[str]:
        """Destinations that no edge leads to."""
        found = [each for each in sorted(sightings(self.objects.manifests)) if self.is_called(each)]
        for each in found:
            if not self.leads(each.workload, self.nodes_at(each), self.ports_at(each)):
                yield f"{each.workload} -> {each.name}:{each.port}"
        for workload in sorted({each.workload for each in found}):
            if not self.leads(workload, {DNS}, {53}):
                yield f"{workload} -> {DNS}"
        ports = set(self.stack.platform.egress.api_server_ports)
        for workload in (name_of(pod.owner) for pod in self.objects.pods if _has_token(pod, self.objects)):
            if not self.leads(workload, {API_SERVER}, ports):
                yield f"{workload} -> {API_SERVER}"

    def is_called(self, seen: Sighting) -> bool:
        """Tell a destination from a public name of the stack itself, from a name that is only read, and from itself."""
        ingress = self.stack.platform.ingress
        public = {ingress.host, self.grafana_host, *(route.host for route in ingress.routes)}
        itself = self.nodes_at(seen) and self.nodes_at(seen) <= self.groups_of(seen.workload)
        return seen.name not in public and (seen.workload, seen.name) not in READ_ONLY and not itself

    @property
    def grafana_host(self) -> str | None:
        """Public name of Grafana, which it writes into links."""
        grafana = self.stack.platform.grafana
        return grafana.host if grafana else None

    def leads(self, workload: str, nodes: set[str], ports: set[int] | None) -> bool:
        """Tell whether the pods have an edge to one of the nodes, on one of the ports; None stands for any port."""
        sources = self.groups_of(workload)
        return any(
            edge.source in sources and edge.destination in nodes and (ports is None or edge.port in ports)
            for edge in self.declaration.edges
        )

    def groups_of(self, workload: str) -> set[str]:
        """Names of the pods in the graph."""
        return {group for each in self.endpoints if each.name == workload for group in each.groups} | {workload}

    def nodes_at(self, seen: Sighting) -> set[str]:
        """Nodes behind a host name: pods that its Service selects, the ingress controller, or addresses outside."""
        if not of_cluster({seen}, self.stack.platform.cluster_domain):
            return {INTERNET} | {e.destination for e in self.declaration.edges if e.destination.startswith("addresses")}
        if f".{self.stack.platform.ingress.controller_namespace}" in seen.name:
            return {INGRESS}
        labels = [selector for name in seen.name.split(".")[:2] for selector in self.selectors_of(name)]
        return {
            group
            for each in self.endpoints
            if each.managed and any(matches({"matchLabels": one}, each.labels) for one in labels)
            for group in each.groups
        }

    def selectors_of(self, name: str) -> Iterator[dict[str, str]]:
        """Labels of the pods behind a Service of the stack, or of an operator."""
        for service in self.objects.of("Service"):
            if name_of(service) == name:
                yield read(service, "spec.selector")
        pods = self.declaration.operator_pods
        yield from (dict(labels) for node, labels in pods.items() if name in {f"{node}-db", f"{node}-operated"})

    def ports_at(self, seen: Sighting) -> set[int] | None:
        """Port of the pods, none where the Service has no such port; None where it is not known."""
        if f".{self.stack.platform.ingress.controller_namespace}" in seen.name or not seen.port:
            return None
        for service in self.objects.of("Service"):
            if name_of(service) == seen.name.partition(".")[0]:
                return {number for port in read(service, "spec.ports") for number in self._targets(port, seen.port)}
        return {seen.port}

    def _targets(self, port: dict[str, Any], wanted: int) -> set[int]:
        target = port.get("targetPort", port["port"])
        if port["port"] != wanted:
            return set()
        if isinstance(target, int):
            return {target}
        # An operator's pods name their ports by themselves; a Service of theirs has the same number.
        return {each.named_ports[target][1] for each in self.endpoints if target in each.named_ports} or {wanted}


def _has_token(pod: Pod, objects: ManifestSet) -> bool:
    account = objects.find("ServiceAccount", pod.namespace, str(pod.spec.get("serviceAccountName"))) or {}
    return bool(pod.spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True)))


def missing(stack: Stack, manifests: list[Manifest] | None = None) -> list[str]:
    """Destinations of a stack that no edge leads to."""
    return list(Graph(stack, manifests or stack.manifests).missing())


@pytest.mark.parametrize("mesh", [False, True], ids=["no mesh", "mesh"])
@pytest.mark.parametrize("outside", [False, True], ids=["inside", "buckets and receivers"])
@pytest.mark.parametrize("stack", STACKS)
def test_every_destination_is_declared(stack: str, outside: bool, mesh: bool) -> None:
    """Between services, to stores and monitoring, to buckets and receivers."""
    assert missing(stack_of(stack, outside=outside, mesh=mesh)) == []


def test_as_many_destinations_are_judged_as_the_stacks_have() -> None:
    """The control: names that nobody finds would all be declared."""
    for name, fewest in (("alpha", 30), ("beta", 40)):
        graph = Graph(stack_of(name, outside=True), stack_of(name, outside=True).manifests)
        judged = {(each.workload, each.name) for each in sightings(graph.objects.manifests) if graph.is_called(each)}
        assert len(judged) >= fewest
        assert {("postgres", "s3.example.com"), ("loki", "s3.example.com"), ("alertmanager", "relay.example.com")} <= {
            *judged
        }


def variable(owner: str, name: str, value: str) -> Callable[[list[Manifest]], None]:
    """One more variable of a workload's first container."""

    def plant(manifests: list[Manifest]) -> None:
        (pod,) = (each for each in ManifestSet(manifests).pods if name_of(each.owner) == owner)
        pod.containers[0].spec.setdefault("env", []).append({"name": name, "value": value})

    return plant


def custom(kind: str, path: str, value: Any) -> Callable[[list[Manifest]], None]:
    """One more field in the spec of a custom resource."""

    def plant(manifests: list[Manifest]) -> None:
        (found,) = (each for each in manifests if kind_of(each) == kind)
        found["spec"][path] = value

    return plant


def with_token(owner: str) -> Callable[[list[Manifest]], None]:
    """A pod with the token of its account."""

    def plant(manifests: list[Manifest]) -> None:
        (pod,) = (each for each in ManifestSet(manifests).pods if name_of(each.owner) == owner)
        pod.spec["automountServiceAccountToken"] = True

    return plant


@pytest.mark.parametrize(
    ("stack", "plant", "expected"),
    [
        ("alpha", variable("ai-orchestrator", "CACHE", "redis://redis:6379/0"), ["ai-orchestrator -> redis:6379"]),
        ("alpha", variable("api-gateway", "REDIS", "redis://redis:26379"), ["api-gateway -> redis:26379"]),
        ("beta", variable("redis-backup-drill", "COPY", "https://s3.example.com"), ["s3.example.com:443"]),
        ("alpha", variable("grafana", "SMTP_HOST", "relay.example.com"), ["grafana -> relay.example.com:0"]),
        ("alpha", variable("nats", "PEER", "nats://nats.alt-las.svc:4222"), []),
        ("alpha", variable("nats", "SINK", "http://loki:3100"), ["nats -> loki:3100", "nats -> cluster DNS"]),
        ("beta", custom("Prometheus", "remoteWrite", [{"url": "https://tsdb.example.com/w"}]), ["prometheus -> tsdb"]),
        ("beta", custom("Cluster", "externalClusters", [{"host": "postgresql://old.example.com:5432"}]), ["old"]),
        ("alpha", with_token("segmentation-service"), ["segmentation-service -> API server"]),
    ],
)
def test_a_new_destination_without_an_edge_is_found(
    stack: str, plant: Callable[[list[Manifest]], None], expected: list[str]
) -> None:
    """In any workload or custom resource, inside or outside; the gate names none of them."""
    manifests = copy.deepcopy(stack_of(stack).manifests)
    plant(manifests)
    found = missing(stack_of(stack), manifests)
    assert len([line for line in found if "cluster DNS" not in line]) == len([e for e in expected if "DNS" not in e])
    assert all(any(text in line for line in found) for text in expected), found
