"""Service graph: allowed calls, declared once by the services. NetworkPolicies and the mesh's rules derive from it."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from components.kubernetes.naming import selector_labels
from components.settings import PlatformSettings
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
        answers_api_server: Whether the API server passes requests on to them (`altlas status`).
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
        """Labels that select the pods of a service or store."""
        return dict(self.pod_labels.get(name) or selector_labels(name))

    def callers_of(self, name: str) -> tuple[str, ...]:
        """Services that may call `name`, in alphabetical order."""
        return tuple(sorted(call.caller for call in self.calls if call.callee == name))

    def callees_of(self, name: str) -> tuple[str, ...]:
        """Services that `name` may call, in alphabetical order."""
        return tuple(sorted(call.callee for call in self.calls if call.caller == name))


def calls_from(caller: str, callees: Iterable[str]) -> frozenset[Call]:
    """Edges from one caller to many callees."""
    return frozenset(Call(caller, callee) for callee in callees)


def service_graph(
    services: Sequence[ServiceDeclaration],
    platform: PlatformSettings,
    stores: Iterable[Store] = (),
    observers: Iterable[Observer] = (),
    jobs: Iterable[Job] = (),
) -> ServiceGraph:
    """The service graph: the declarations of services, stores, monitoring and jobs, and the stack's additional calls.

    Args:
        services: The services of the platform.
        platform: The stack's settings.
        stores: The stores that the stack runs itself; calls to others are not part of the graph.
        observers: The pods of monitoring.
        jobs: The pods of the backups.

    Raises:
        ServiceGraphError: A service or observer declares an edge to an unknown name, or a call to itself.
    """
    own_stores = {store.name: store for store in stores}
    watching = {observer.name: observer for observer in observers}
    coming = {job.name: job for job in jobs}
    settings = platform.services.by_name()
    return ServiceGraph(
        ports={service.service_name: settings[service.service_name].port for service in services}
        | {store.name: store.port for store in own_stores.values()}
        | {observer.name: observer.port for observer in watching.values()},
        calls=_calls(services, platform, own_stores, tuple(watching.values()), coming.values()),
        pod_labels={store.name: store.pod_labels for store in own_stores.values()}
        | {name: observer.pod_labels for name, observer in watching.items() if observer.pod_labels},
        entered_from_ingress=frozenset(
            (
                *(route.service for route in platform.ingress.routes),
                *(name for name, observer in watching.items() if observer.from_ingress),
            )
        ),
        reaching_internet=frozenset(service.service_name for service in services if service.reaches_internet),
        outside=_outside(own_stores.values(), watching.values(), coming.values()),
        egress=platform.egress,
        in_mesh=_in_mesh(services, watching.values()) if platform.mesh.is_on else frozenset(),
        observers=watching,
        jobs=coming,
        foreign={name: observer.namespace for name, observer in watching.items() if observer.namespace},
    )


def _outside(
    stores: Iterable[Store], observers: Iterable[Observer], jobs: Iterable[Job]
) -> Mapping[str, tuple[Outside, ...]]:
    found: tuple[Store | Observer | Job, ...] = (*stores, *observers, *jobs)
    return {each.name: each.outside for each in found if each.outside}


def _calls(
    services: Iterable[ServiceDeclaration],
    platform: PlatformSettings,
    stores: Container[str],
    observers: Sequence[Observer],
    jobs: Iterable[Job],
) -> frozenset[Call]:
    """Every edge: services to each other and to the stack's own stores, monitoring to its targets, jobs to stores."""
    of_all = tuple(observer.name for observer in observers if observer.called_by_services)
    declared = (
        calls_from(service.service_name, (*service.calls, *(n for n in service.stores if n in stores), *of_all))
        for service in services
    )
    watched = (calls_from(observer.name, observer.calls) for observer in observers)
    worked = (calls_from(job.name, job.calls) for job in jobs)
    additional = frozenset(Call(call.caller, call.callee) for call in platform.additional_calls)
    return additional.union(*declared, *watched, *worked)


def _in_mesh(services: Iterable[ServiceDeclaration], observers: Iterable[Observer]) -> frozenset[str]:
    own = (service.service_name for service in services)
    return frozenset((*own, *(observer.name for observer in observers if observer.in_mesh)))
