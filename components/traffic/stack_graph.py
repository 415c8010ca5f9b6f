"""Service graph of a whole stack: services, stores, monitoring and backups."""

from collections.abc import Sequence

from components.settings import PlatformSettings
from components.traffic.graph import ServiceDeclaration, ServiceGraph, service_graph
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
