"""The stores that a stack runs itself: which there are, how services reach them, and what they consist of."""

from collections.abc import Mapping, Sequence

import pulumi

from components.service_graph import MessageFlow, ServiceGraph, Store
from components.settings import PlatformSettings
from components.shared import nats_manifests, redis_manifests
from components.shared.backups import build_backups
from components.shared.nats import Nats, nats_environment
from components.shared.postgres import Postgres, postgres_environment, postgres_store
from components.shared.postgres_backup import WriteAheadLog
from components.shared.redis import Redis, redis_environment
from components.stack_configuration import StackConfiguration


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
