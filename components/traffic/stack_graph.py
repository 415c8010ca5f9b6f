"""Service graph of a whole stack: services, stores, monitoring and backups."""

from collections.abc import Container, Iterable, Mapping, Sequence

from components.settings import PlatformSettings
from components.traffic.graph import (
    Call,
    Job,
    Observer,
    Outside,
    ServiceDeclaration,
    ServiceGraph,
    Store,
    calls_from,
)
from components.traffic.jobs import declared_jobs
from components.traffic.observers import declared_observers
from components.traffic.stores import declared_stores


def stack_graph(services: Sequence[ServiceDeclaration], platform: PlatformSettings) -> ServiceGraph:
    """The service graph of everything that the settings of a stack switch on.

    Raises:
        ServiceGraphError: A service declares an edge to an unknown name, or a call to itself.
    """
    parts = declared_stores(platform), declared_observers(platform), declared_jobs(platform)
    return service_graph(services, platform, *parts)


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
        canaries=frozenset(platform.canaries()),
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
