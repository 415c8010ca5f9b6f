"""Redis of a stack: one server, or several with failover, behind the same address."""

from collections.abc import Mapping

import pulumi

from components.settings.redis import RedisSettings
from components.stack.configuration import StackConfiguration
from components.stores.redis import manifests
from components.stores.redis.configuration import PORT
from components.traffic.graph import ServiceGraph
from components.workloads.component import StoreComponent

CALLER_PASSWORD_KEY = "redisApiGatewayPassword"  # noqa: S105  # the name of a configuration key
INTERNAL_SECRET_KEY = "redisInternalSecret"  # noqa: S105  # the name of a configuration key


def redis_environment(configuration: StackConfiguration) -> dict[str, Mapping[str, pulumi.Input[str]]]:
    """How api-gateway reaches Redis: secret environment variables by service."""
    return {manifests.CALLER: {"REDIS_URL": configuration.passwords(CALLER_PASSWORD_KEY).in_use.apply(manifests.url)}}


class Redis(StoreComponent):
    """Servers with their volumes, sentinels and proxies, users, Services and NetworkPolicies.

    Owns what the servers are and who may do what in them. Does not own what is in them, nor its dumps.
    """

    def __init__(
        self,
        configuration: StackConfiguration,
        redis: RedisSettings,
        graph: ServiceGraph,
        namespace: pulumi.Resource,
    ) -> None:
        super().__init__("alt-las:shared:Redis", manifests.NAME, configuration.platform, namespace)
        platform, servers = configuration.platform, manifests.servers(configuration.platform)
        internal = configuration.secrets[INTERNAL_SECRET_KEY]
        callers = configuration.passwords(CALLER_PASSWORD_KEY).both
        users = pulumi.Output.all(*callers, internal).apply(lambda all_: manifests.users_content(all_[:2], all_[2]))
        name = manifests.NAME
        secret = servers.secret(internal.apply(manifests.secret_content))
        secret_name = self._register(f"{name}-secrets", secret).metadata["name"]
        before = [
            self._register(manifests.USERS, servers.secret(users, manifests.USERS)),
            self._register(name, servers.service_account()),
            self._register(f"{name}-configuration", servers.config_map(manifests.configuration_content(redis))),
            self._register(name, manifests.server_policy(redis, graph, platform)),
        ]
        self._register(servers.headless, servers.headless_service(manifests.ports(redis)))
        self._register(name, servers.disruption_budget())
        entry = manifests.proxies(platform) if redis.is_replicated else servers
        self._register(name, servers.client_service({"redis": PORT}, entry.selector))
        stateful_set = manifests.stateful_set(redis, platform, secret_name)
        self._register(name, stateful_set, *before, data=True, awaited=True)
        if redis.is_replicated:
            self._add_proxies(redis, graph, secret_name)
        self.register_outputs({})

    def _add_proxies(self, redis: RedisSettings, graph: ServiceGraph, secret: pulumi.Input[str]) -> None:
        name, proxies = manifests.PROXY, manifests.proxies(self._platform)
        before = [
            self._register(name, proxies.service_account()),
            self._register(f"{name}-configuration", proxies.config_map(manifests.proxy_content(redis, self._platform))),
            self._register(name, manifests.proxy_policy(graph, self._platform)),
        ]
        self._register(name, proxies.disruption_budget())
        self._register(name, manifests.proxy_deployment(redis, self._platform, secret), *before, awaited=True)
