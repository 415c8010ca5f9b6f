"""Translates what monitoring declares about itself into the edges that the prover checks."""

from collections.abc import Iterator

from components.settings import PlatformSettings
from components.settings.egress import EgressSettings
from components.traffic.graph import Observer, ServiceGraph
from components.traffic.observers import ALERTMANAGER, ALERTMANAGER_GOSSIP_PORT, scraper_of
from policy.proof.endpoints import API_SERVER, API_SERVER_PROXY, INGRESS
from policy.proof.reachability import Edge, dns_edges

_MESH_PORT = 15008


def monitoring_edges(platform: PlatformSettings, graph: ServiceGraph) -> Iterator[Edge]:
    """Connections of monitoring: scrapes, probes, and what its own pods need."""
    for scrape in graph.scrapes:
        ports = (scrape.port, *([_MESH_PORT] if scrape.target in graph.in_mesh else []))
        for port in ports:
            yield Edge(node_of(scrape.scraper, graph), scrape.target, "TCP", port)
    for observer in graph.observers.values():
        if observer.name not in graph.foreign:
            yield from _needs(observer, platform.egress)
    yield from _gossip(platform)
    yield from _existing_jobs(platform)


def node_of(name: str, graph: ServiceGraph) -> str:
    """Name under which the prover knows a pod; pods of other namespaces are known by these and their labels."""
    return f"{graph.foreign[name]}/{'+'.join(graph.selector_of(name).values())}" if name in graph.foreign else name


def _needs(observer: Observer, egress: EgressSettings) -> Iterator[Edge]:
    yield from dns_edges(observer.name, egress.dns.ports)
    if observer.reads_api_server:
        for port in egress.api_server_ports:
            yield Edge(observer.name, API_SERVER, "TCP", port)
    if observer.answers_api_server:
        yield Edge(API_SERVER_PROXY, observer.name, "TCP", observer.port)
    for port in observer.ingress_ports:
        yield Edge(observer.name, INGRESS, "TCP", port)


def _gossip(platform: PlatformSettings) -> Iterator[Edge]:
    if platform.alertmanager and platform.alertmanager.replicas > 1:
        for protocol in ("TCP", "UDP"):
            yield Edge(ALERTMANAGER, ALERTMANAGER, protocol, ALERTMANAGER_GOSSIP_PORT)


def _existing_jobs(platform: PlatformSettings) -> Iterator[Edge]:
    scraper = scraper_of(platform)
    if scraper and platform.prometheus and platform.prometheus.is_managed:
        for job in platform.prometheus.existing_jobs:
            yield Edge(scraper, f"{job.namespace}/{'+'.join(job.pod_labels.values())}", "TCP", job.port)
