"""Service graph: allowed calls, declared once by the services. NetworkPolicies and the mesh's rules derive from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from components.kubernetes.naming import primary_of, selector, selector_labels
from components.settings.egress import EgressSettings

HTTPS_PORT = 443


class ServiceGraphError(ValueError):
    """The graph names a service that does not exist, or an edge that makes no sense."""


@dataclass(frozen=True, order=True)
class Call:
    """One edge: `caller` may open connections to `callee`."""

    caller: str
    callee: str


@dataclass(frozen=True, order=True)
class Scrape:
    """One edge of monitoring: `scraper` reads the metrics, or the health, of `target` on a port of its pods."""

    scraper: str
    target: str
    port: int


class Outside(NamedTuple):
    """Destination outside the cluster: address ranges, or all public addresses where there are none, on a port."""

    ranges: tuple[str, ...]
    port: int


@dataclass(frozen=True, kw_only=True)
class Observer:
    """Pods that watch the others, or that the watching stands on.

    Attributes:
        name: Name of the pods, such as prometheus.
        port: TCP port of the pods.
        scrapes: Metrics that they read.
        calls: Names of those that they call, on the callee's own port.
        reads_api_server: Whether they ask the API server.
        answers_api_server: Whether the API server passes requests on to them (`altlas status`, `altlas canary`).
        in_mesh: Whether they enter the mesh where there is one: those that reach services, or are reached by such.
        outside: What they may reach outside the cluster.
        ingress_ports: Ports of the ingress controller that they may reach, of its Service and of its pods: networks
            differ in which of them a policy sees.
        pod_labels: Labels that select the pods where they are not ours to choose; empty for those of the name.
        namespace: Namespace of the pods where it is not the stack's own; nothing is then made for them.
        further_ports: Further TCP ports that its callers reach.
        called_by_services: Whether every service may call it, without declaring it.
        from_ingress: Whether the ingress controller may reach it.
    """

    name: str
    port: int
    scrapes: tuple[Scrape, ...] = ()
    calls: tuple[str, ...] = ()
    reads_api_server: bool = False
    answers_api_server: bool = False
    in_mesh: bool = False
    outside: tuple[Outside, ...] = ()
    ingress_ports: tuple[int, ...] = ()
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str | None = None
    further_ports: tuple[int, ...] = ()
    called_by_services: bool = False
    from_ingress: bool = False


@dataclass(frozen=True, kw_only=True)
class Job:
    """Pods that come, do something with the stores and go; nobody calls them.

    Attributes:
        name: Name of the pods, such as redis-backup.
        calls: Names of those that they call, on the callee's own port.
        outside: What they may reach outside the cluster.
    """

    name: str
    calls: tuple[str, ...]
    outside: tuple[Outside, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Store:
    """A store that services call, as the graph sees it.

    Attributes:
        name: Name of the store, such as redis.
        port: TCP port of its pods.
        pod_labels: Labels that select its pods.
        outside: What its pods may reach outside the cluster.
    """

    name: str
    port: int
    pod_labels: Mapping[str, str]
    outside: tuple[Outside, ...] = ()


class ServiceDeclaration(Protocol):
    """Declaration of a service about its traffic."""

    @property
    def service_name(self) -> str:
        """Name of the service."""

    @property
    def calls(self) -> tuple[str, ...]:
        """Names of the services that it calls."""

    @property
    def stores(self) -> tuple[str, ...]:
        """Names of the stores that it calls."""

    @property
    def reaches_internet(self) -> bool:
        """True if it may reach port 443 of public addresses."""


@dataclass(frozen=True, kw_only=True)
class ServiceGraph:
    """The services and stores with the ports of their pods, and the calls between them.

    Attributes:
        ports: TCP port of the pods by name of the service or store.
        calls: All edges.
        pod_labels: Labels that select the pods, for those (stores of an operator) whose labels are not ours to choose.
        entered_from_ingress: Services that the ingress controller may reach.
        reaching_internet: Services that may reach port 443 of public addresses.
        in_mesh: Services whose pods are in the mesh.
        outside: Destinations outside the cluster of stores, observers and jobs.
        egress: DNS, the API server, and what is not the internet.
        observers: Pods that watch the others.
        jobs: Pods that come and go, such as those of the dumps.
        foreign: Namespace of those whose pods are in another one, such as a Prometheus that the cluster has anyway.
        canaries: Services that are released by a canary: Flagger makes a second set of their pods.

    Raises:
        ServiceGraphError: An edge or a marker names an unknown service, or a service calls itself.
    """

    ports: Mapping[str, int]
    calls: frozenset[Call]
    pod_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    entered_from_ingress: frozenset[str] = frozenset()
    reaching_internet: frozenset[str] = frozenset()
    in_mesh: frozenset[str] = frozenset()
    outside: Mapping[str, tuple[Outside, ...]] = field(default_factory=dict)
    egress: EgressSettings = field(default_factory=EgressSettings)
    observers: Mapping[str, Observer] = field(default_factory=dict)
    jobs: Mapping[str, Job] = field(default_factory=dict)
    foreign: Mapping[str, str] = field(default_factory=dict)
    canaries: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Check that every name is a service and that no service calls itself."""
        named = [name for call in sorted(self.calls) for name in (call.caller, call.callee)]
        named += [name for scrape in self.scrapes for name in (scrape.scraper, scrape.target)]
        marked = sorted(self.entered_from_ingress | self.reaching_internet | self.in_mesh)
        for name in (*named, *marked):
            if name not in self.ports and name not in self.jobs:
                raise ServiceGraphError(
                    f"the service graph names the unknown service {name!r}; known: {', '.join(self.ports)}"
                )
        for call in sorted(self.calls):
            if call.caller == call.callee:
                raise ServiceGraphError(f"the service graph lets {call.caller} call itself; remove the call")

    @property
    def scrapes(self) -> tuple[Scrape, ...]:
        """All edges of monitoring, in alphabetical order."""
        return tuple(sorted(scrape for observer in self.observers.values() for scrape in observer.scrapes))

    def scrapes_of(self, target: str) -> tuple[Scrape, ...]:
        """Readers of the metrics of `target`, with the port."""
        return tuple(scrape for scrape in self.scrapes if scrape.target == target)

    def scrapes_by(self, scraper: str) -> tuple[Scrape, ...]:
        """Targets whose metrics `scraper` reads, with the port."""
        return tuple(scrape for scrape in self.scrapes if scrape.scraper == scraper)

    def internet_ports_of(self, name: str) -> tuple[int, ...]:
        """Ports of public addresses that something may reach; 443 for a service that may at all."""
        ports = {each.port for each in self.outside_of(name) if not each.ranges}
        return tuple(sorted(ports | ({HTTPS_PORT} if name in self.reaching_internet else set())))

    def outside_of(self, name: str) -> tuple[Outside, ...]:
        """Destinations outside the cluster of a store, an observer or a job."""
        return self.outside.get(name, ())

    def ports_of(self, name: str) -> tuple[int, ...]:
        """All TCP ports that the callers of `name` reach."""
        further = self.observers[name].further_ports if name in self.observers else ()
        return (self.ports[name], *further)

    def selector_of(self, name: str) -> dict[str, str]:
        """Labels that select the pods of a service or store; of a service with a canary, those of the new release."""
        return dict(self.pod_labels.get(name) or selector_labels(name))

    def names_of(self, name: str) -> tuple[str, ...]:
        """Names of all sets of pods of a service: its own, and that of Flagger where a canary releases it."""
        return (name, primary_of(name)) if name in self.canaries else (name,)

    def pod_selector_of(self, name: str) -> dict[str, Any]:
        """Selector of all pods of a service, store, observer or job."""
        if name in self.canaries:
            return selector(*self.names_of(name))
        return {"matchLabels": self.selector_of(name)}

    def selectors_of(self, name: str) -> tuple[dict[str, str], ...]:
        """Labels that select the pods of a service or store, one for each set of them."""
        return tuple(self.selector_of(each) for each in self.names_of(name))

    def callers_of(self, name: str) -> tuple[str, ...]:
        """Services that may call `name`, in alphabetical order."""
        return tuple(sorted(call.caller for call in self.calls if call.callee == name))

    def callees_of(self, name: str) -> tuple[str, ...]:
        """Services that `name` may call, in alphabetical order."""
        return tuple(sorted(call.callee for call in self.calls if call.caller == name))


def calls_from(caller: str, callees: Iterable[str]) -> frozenset[Call]:
    """Edges from one caller to many callees."""
    return frozenset(Call(caller, callee) for callee in callees)
