"""Composition of the stores that a stack runs itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.stack.configuration import StackConfiguration
from components.stores.nats.component import Nats, NatsArgs
from components.stores.postgres.component import Postgres, PostgresArgs
from components.stores.postgres.objects import WAL_STORE
from components.stores.postgres.write_ahead_log import WriteAheadLog, WriteAheadLogArgs
from components.stores.redis.component import Redis, RedisArgs
from components.traffic.jobs import BackupSource
from components.traffic.message_flow import MessageFlow
from components.traffic.stores import NATS, POSTGRES_HOST, REDIS
from components.workloads.component import Surroundings


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The stores of a stack; None for each that the stack does not run itself."""

    postgres: Postgres | None
    redis: Redis | None
    nats: Nats | None

    @property
    def environment(self) -> dict[str, dict[str, pulumi.Input[str]]]:
        """Secret variables by which each service reaches its stores, by service."""
        merged: dict[str, dict[str, pulumi.Input[str]]] = {}
        for store in (self.postgres, self.redis, self.nats):
            for service, variables in store.environment.items() if store else ():
                merged.setdefault(service, {}).update(variables)
        return merged

    @property
    def backup_sources(self) -> tuple[BackupSource, ...]:
        """Facts about each store that its backups need."""
        return tuple(store.backup_source for store in (self.postgres, self.redis, self.nats) if store)


def build_stores(
    stack: StackConfiguration,
    surroundings: Surroundings,
    flows: Sequence[MessageFlow],
    opts: pulumi.ResourceOptions | None = None,
) -> Stores:
    """Register the stores that the stack runs itself.

    Args:
        stack: The stack's settings and secrets.
        surroundings: The stack around the stores.
        flows: Subjects that the services publish and consume.
        opts: Options of every component.
    """
    postgres = Postgres.optional(POSTGRES_HOST, PostgresArgs.of(stack, surroundings), opts)
    WriteAheadLog.optional(WAL_STORE, WriteAheadLogArgs.of(stack, surroundings), opts)
    redis = Redis.optional(REDIS, RedisArgs.of(stack, surroundings), opts)
    nats = Nats.optional(NATS, NatsArgs.of(stack, surroundings, flows), opts)
    return Stores(postgres=postgres, redis=redis, nats=nats)
