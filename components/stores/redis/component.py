"""Redis of a stack: one server, or several with failover, behind the same address."""

from dataclasses import dataclass
from typing import Self

import pulumi

from components.settings.prometheus import ExporterSettings
from components.settings.redis import RedisSettings
from components.stack.configuration import Passwords, StackConfiguration
from components.stores.redis import objects
from components.traffic.jobs import BackupSource
from components.workloads.component import ObjectComponent, Surroundings

CALLER_PASSWORD_KEY = "redisApiGatewayPassword"  # noqa: S105  # the name of a configuration key
INTERNAL_SECRET_KEY = "redisInternalSecret"  # noqa: S105  # the name of a configuration key


@dataclass(frozen=True, kw_only=True)
class RedisArgs:
    """Arguments of Redis.

    Attributes:
        surroundings: The stack around it.
        settings: Settings of Redis.
        caller: Passwords of the service that has a user of its own.
        internal: Secret from which the passwords of all other users are derived.
        exporter: Settings of the exporter in the pod of each server, or None without monitoring.
        prepares: Whether only the number of servers changes, which a smaller one does before the servers themselves do.
    """

    surroundings: Surroundings
    settings: RedisSettings
    caller: Passwords
    internal: pulumi.Output[str]
    exporter: ExporterSettings | None = None
    prepares: bool = False

    @classmethod
    def of(cls, stack: StackConfiguration, surroundings: Surroundings) -> Self | None:
        """The arguments in a stack; None where it runs no Redis itself."""
        settings = stack.platform.redis
        if settings is None:
            return None
        prometheus = stack.platform.prometheus
        return cls(
            surroundings=surroundings,
            settings=settings,
            caller=stack.passwords(CALLER_PASSWORD_KEY),
            internal=stack.secrets[INTERNAL_SECRET_KEY],
            exporter=prometheus.exporters.redis if prometheus else None,
            prepares=stack.prepares,
        )


class Redis(ObjectComponent):
    """Servers with their volumes, sentinels and proxies, users, Services and NetworkPolicies.

    Owns what the servers are and who may do what in them. Does not own what is in them, nor its backups.

    Attributes:
        url: Secret address for the service that has a user of its own.
        environment: Secret variables by service.
        backup_source: Facts that backups need.
    """

    url: pulumi.Output[str]

    def __init__(self, name: str, args: RedisArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:shared:Redis", name, args.surroundings, opts)
        redis, servers = args.settings, objects.servers(args.surroundings)
        users = pulumi.Output.all(*args.caller.both, args.internal).apply(
            lambda passwords: objects.users_content(passwords[:2], passwords[2])
        )
        secret = self._register(f"{name}-secrets", servers.secret(args.internal.apply(objects.secret_content)))
        secret_name = secret.metadata["name"]
        before = [
            self._register(f"{name}-users", servers.secret(users, objects.USERS)),
            self._register(name, servers.service_account()),
            self._register(f"{name}-configuration", servers.config_map(objects.configuration_content(redis))),
            self._register(name, objects.server_policy(redis, args.surroundings)),
        ]
        self._register(f"{name}-servers", servers.headless_service(objects.ports(redis)))
        self._register(name, servers.disruption_budget())
        if redis.is_replicated:
            # A single server serves through the proxies, and the Service leads to them, before it gets replicas.
            proxies = self._add_proxies(f"{name}-proxy", args, secret_name, *before)
            entry = servers.client_service({"redis": objects.PORT}, objects.proxies(args.surroundings).selector)
            before.append(self._register(name, entry, proxies))
        else:
            # After all that it waited for as the Service of several: an update of some objects keeps that order.
            self._register(name, servers.client_service({"redis": objects.PORT}), *before)
        stateful_set = objects.stateful_set(redis, args.surroundings, secret_name, args.exporter)
        held = ("spec.template",) if args.prepares else ()
        self._register(name, stateful_set, *before, data=True, awaited=True, held=held)
        self.url = args.caller.in_use.apply(objects.url)
        self.environment = {objects.CALLER: {"REDIS_URL": self.url}}
        self.backup_source: BackupSource = objects.backup_source(redis, servers, args.internal)
        self.register_outputs({"url": self.url})

    def _add_proxies(
        self, name: str, args: RedisArgs, secret: pulumi.Input[str], *after: pulumi.Resource
    ) -> pulumi.Resource:
        surroundings = args.surroundings
        proxies, content = objects.proxies(surroundings), objects.proxy_content(args.settings, surroundings)
        before = [
            self._register(name, proxies.service_account()),
            self._register(f"{name}-configuration", proxies.config_map(content)),
            self._register(name, objects.proxy_policy(surroundings)),
        ]
        self._register(name, proxies.disruption_budget())
        deployment = objects.proxy_deployment(args.settings, surroundings, secret)
        return self._register(name, deployment, *before, *after, awaited=True)
