"""Who may call whom. Declared once by the services; NetworkPolicies, and all else about traffic, derive from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from components.naming import selector_labels


class ServiceGraphError(ValueError):
    """The graph names a service that does not exist, or an edge that makes no sense."""


@dataclass(frozen=True, order=True)
class Call:
    """One edge: `caller` may open connections to `callee`."""

    caller: str
    callee: str


@dataclass(frozen=True, kw_only=True)
class Store:
    """A store that services call, as the graph sees it.

    Attributes:
        name: Name of the store, such as redis.
        port: TCP port of its pods.
        pod_labels: Labels that select its pods.
    """

    name: str
    port: int
    pod_labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class MessageFlow:
    """What a service sends to and takes from the message queue.

    Attributes:
        service: Name of the service.
        publishes: Subjects that it publishes.
        consumes: Subjects that its pods consume together, each message by one of them.
    """

    service: str
    publishes: tuple[str, ...] = ()
    consumes: tuple[str, ...] = ()


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
        private_ranges: Further IPv4 ranges that are not the internet.

    Raises:
        ServiceGraphError: An edge or a marker names an unknown service, or a service calls itself.
    """

    ports: Mapping[str, int]
    calls: frozenset[Call]
    pod_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    entered_from_ingress: frozenset[str] = frozenset()
    reaching_internet: frozenset[str] = frozenset()
    in_mesh: frozenset[str] = frozenset()
    private_ranges: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that every name is a service and that no service calls itself."""
        named = [name for call in sorted(self.calls) for name in (call.caller, call.callee)]
        marked = sorted(self.entered_from_ingress | self.reaching_internet | self.in_mesh)
        for name in (*named, *marked):
            if name not in self.ports:
                raise ServiceGraphError(
                    f"the service graph names the unknown service {name!r}; known: {', '.join(self.ports)}"
                )
        for call in sorted(self.calls):
            if call.caller == call.callee:
                raise ServiceGraphError(f"the service graph lets {call.caller} call itself; remove the call")

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
