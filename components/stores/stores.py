"""The stores that a stack runs itself: which there are, how services reach them, and what they consist of."""

from collections.abc import Mapping, Sequence

import pulumi

from components.backups.component import build_backups
from components.settings import PlatformSettings
from components.stack.configuration import StackConfiguration
from components.stores.nats import manifests as nats_manifests
from components.stores.nats.component import Nats, nats_environment
from components.stores.postgres.component import Postgres, postgres_environment, postgres_store
from components.stores.postgres.write_ahead_log import WriteAheadLog
from components.stores.redis import manifests as redis_manifests
from components.stores.redis.component import Redis, redis_environment
from components.traffic.graph import MessageFlow, ServiceGraph, Store


def declared_stores(platform: PlatformSettings) -> tuple[Store, ...]:
    """The stores of a stack as the service graph sees them."""
    return (
        *([postgres_store()] if platform.postgres else ()),
        *([redis_manifests.store(platform.redis)] if platform.redis else ()),
        *([redis_manifests.servers_store()] if platform.redis and (platform.prometheus or platform.backup) else ()),
        *([nats_manifests.store()] if platform.nats else ()),
    )


def store_environment(configuration: StackConfiguration) -> dict[str, dict[str, pulumi.Input[str]]]:
    """How each service reaches the stores of the stack: secret environment variables by service."""
    platform = configuration.platform
    by_store: list[Mapping[str, Mapping[str, pulumi.Input[str]]]] = [
        *([postgres_environment(configuration, platform.postgres)] if platform.postgres else ()),
        *([redis_environment(configuration)] if platform.redis else ()),
        *([nats_environment(configuration)] if platform.nats else ()),
    ]
    merged: dict[str, dict[str, pulumi.Input[str]]] = {}
    for environment in by_store:
        for service, variables in environment.items():
            merged.setdefault(service, {}).update(variables)
    return merged


def build_stores(
    configuration: StackConfiguration,
    flows: Sequence[MessageFlow],
    graph: ServiceGraph,
    namespace: pulumi.Resource,
) -> None:
    """Register the stores that the stack runs itself.

    Args:
        configuration: The stack's settings and secrets.
        flows: What the services send to and take from the message queue.
        graph: Who may call whom.
        namespace: The namespace as a resource.
    """
    platform = configuration.platform
    if platform.postgres:
        Postgres(configuration, platform.postgres, graph, namespace)
        if platform.backup and platform.backup.object_store:
            WriteAheadLog(configuration, platform.backup, platform.backup.object_store, namespace)
    if platform.redis:
        Redis(configuration, platform.redis, graph, namespace)
    if platform.nats:
        Nats(configuration, platform.nats, flows, graph, namespace)
    build_backups(configuration, graph, namespace)
