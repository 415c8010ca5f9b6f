"""Translates the platform's service graph into the edges that the prover checks."""

import ipaddress
from collections.abc import Iterator

from components.services import SERVICES
from components.settings import PlatformSettings
from components.traffic.graph import ServiceGraph
from components.traffic.stack_graph import stack_graph
from policy.proof.endpoints import (
    API_SERVER,
    DATABASE_OPERATOR,
    INGRESS,
    INTERNET,
    MESH_PROBES,
    ClusterAddresses,
    DnsEndpoints,
    group_of_ranges,
)
from policy.proof.monitoring import monitoring_edges, node_of
from policy.proof.reachability import Declaration, Edge, dns_edges

_MESH_PORT = 15008
_POSTGRES_PORT, _POSTGRES_STATUS_PORT = 5432, 8000
_NATS_PORT, _NATS_ROUTE_PORT = 4222, 6222
_REDIS_PORT, _SENTINEL_PORT = 6379, 26379
_REDIS_SERVERS = "StatefulSet/redis"
"""Name of the Redis servers where proxies stand in front of them: there `redis` means the proxies."""


def declaration_of(platform: PlatformSettings) -> Declaration:
    """Declaration of a stack: calls between services, entry from the ingress, DNS for all, the internet for some."""
    graph = stack_graph(SERVICES, platform)
    stores = (*_postgres_edges(platform), *_nats_edges(platform), *_redis_edges(platform))
    return Declaration(
        frozenset((*_edges(graph), *stores, *_uploads(graph), *monitoring_edges(platform, graph))),
        operator_pods={name: labels for name, labels in graph.pod_labels.items() if name not in graph.foreign},
        operator_namespace=platform.namespace,
        surroundings=ClusterAddresses(
            platform.ingress.controller_namespace,
            platform.ingress.controller_labels,
            dns=DnsEndpoints(
                platform.egress.dns.namespace,
                platform.egress.dns.labels,
                frozenset(map(ipaddress.ip_address, platform.egress.dns.addresses)),
            ),
            ingress_ranges=platform.ingress.controller_ranges,
            private_ranges=platform.egress.private_ranges,
            api_server=frozenset(map(ipaddress.ip_address, platform.egress.api_server_addresses)),
            api_server_proxy=platform.egress.proxied_ranges,
            outside=frozenset(each.ranges for given in graph.outside.values() for each in given if each.ranges),
            database_operator=platform.postgres.operator_namespace if platform.postgres else None,
        ),
    )


def _uploads(graph: ServiceGraph) -> Iterator[Edge]:
    for name, destinations in graph.outside.items():
        for outside in destinations:
            target = group_of_ranges(outside.ranges) if outside.ranges else INTERNET
            yield Edge(name, target, "TCP", outside.port)


def _edges(graph: ServiceGraph) -> Iterator[Edge]:
    for call in graph.calls:
        caller = node_of(call.caller, graph)
        yield from (Edge(caller, call.callee, "TCP", port) for port in graph.ports_of(call.callee))
    for name in graph.entered_from_ingress:
        yield Edge(INGRESS, name, "TCP", graph.ports[name])
    for name in graph.reaching_internet:
        for port in graph.internet_ports_of(name):
            yield Edge(name, INTERNET, "TCP", port)
    for name in graph.in_mesh:
        yield from (Edge(MESH_PROBES, name, "TCP", port) for port in graph.ports_of(name))
        # The tunnel carries the same calls; the mesh's own policies tell the ports inside it apart.
        callers = [node_of(each, graph) for each in graph.callers_of(name)]
        for caller in (*callers, *([INGRESS] if name in graph.entered_from_ingress else [])):
            yield Edge(caller, name, "TCP", _MESH_PORT)
    # Stores keep their own labels, and only the services and observers that are ours look up names.
    for name in (graph.ports.keys() | graph.jobs.keys()) - graph.pod_labels.keys():
        yield from dns_edges(name, graph.egress.dns.ports)


def _postgres_edges(platform: PlatformSettings) -> Iterator[Edge]:
    """Inside PostgreSQL: the dumps, and the servers among each other and to the API server that holds their state."""
    if platform.postgres is None:
        return
    for port in (_POSTGRES_PORT, _POSTGRES_STATUS_PORT):
        yield Edge("postgres", "postgres", "TCP", port)
    yield Edge(DATABASE_OPERATOR, "postgres", "TCP", _POSTGRES_STATUS_PORT)
    for port in platform.egress.api_server_ports:
        yield Edge("postgres", API_SERVER, "TCP", port)
    yield from dns_edges("postgres", platform.egress.dns.ports)


def _nats_edges(platform: PlatformSettings) -> Iterator[Edge]:
    """Inside NATS: the Job that makes the streams, and the servers among each other."""
    if platform.nats is None:
        return
    yield Edge("nats-streams", "nats", "TCP", _NATS_PORT)
    yield from dns_edges("nats-streams", platform.egress.dns.ports)
    if platform.nats.replicas > 1:
        yield Edge("nats", "nats", "TCP", _NATS_ROUTE_PORT)
        yield from dns_edges("nats", platform.egress.dns.ports)


def _redis_edges(platform: PlatformSettings) -> Iterator[Edge]:
    """Inside Redis: the proxies to the servers, and servers and sentinels among each other."""
    if platform.redis is None or platform.redis.replicas == 1:
        return
    yield Edge("redis", _REDIS_SERVERS, "TCP", _REDIS_PORT)
    for port in (_REDIS_PORT, _SENTINEL_PORT):
        yield Edge(_REDIS_SERVERS, _REDIS_SERVERS, "TCP", port)
    yield from dns_edges("redis", platform.egress.dns.ports)
    yield from dns_edges(_REDIS_SERVERS, platform.egress.dns.ports)
