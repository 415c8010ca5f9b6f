"""NATS of a stack: one server, or several that elect leaders, behind the same address, with the declared streams."""

import functools
from collections.abc import Mapping, Sequence

import pulumi

from components.settings.nats import NatsSettings
from components.stack.configuration import Passwords, StackConfiguration
from components.stores.nats import manifests
from components.stores.nats.configuration import PORT, user_of
from components.traffic.graph import MessageFlow, ServiceGraph
from components.workloads.component import StoreComponent

PASSWORD_KEYS = {
    "runner-service": "natsRunnerPassword",
    "archive-service": "natsArchivePassword",
}
"""Secret with the password of each service's user."""

INTERNAL_SECRET_KEY = "natsInternalSecret"  # noqa: S105  # the name of a configuration key


def nats_environment(configuration: StackConfiguration) -> dict[str, Mapping[str, pulumi.Input[str]]]:
    """How each service with a user reaches NATS: secret environment variables by service."""
    return {
        service: {"NATS_URL": _url(service, configuration.passwords(key))} for service, key in PASSWORD_KEYS.items()
    }


def _url(service: str, passwords: Passwords) -> pulumi.Output[str]:
    user = user_of(service, second=passwords.second_in_use)
    return passwords.in_use.apply(functools.partial(manifests.url, user))


class Nats(StoreComponent):
    """Servers with their volumes, users, Services, NetworkPolicies, and the Job that makes the streams.

    Owns what the servers are, who may do what in them, and how streams are set up. Does not own the messages.
    """

    def __init__(
        self,
        configuration: StackConfiguration,
        nats: NatsSettings,
        flows: Sequence[MessageFlow],
        graph: ServiceGraph,
        namespace: pulumi.Resource,
    ) -> None:
        super().__init__("alt-las:shared:Nats", manifests.NAME, configuration.platform, namespace)
        platform, servers = configuration.platform, manifests.servers(configuration.platform)
        internal = configuration.secrets[INTERNAL_SECRET_KEY].apply(manifests.internal_passwords)
        services = {
            user_of(service, second=bool(second)): password
            for service, key in PASSWORD_KEYS.items()
            for second, password in enumerate(configuration.passwords(key).both)
        }
        users = pulumi.Output.all(internal, services).apply(
            lambda both: manifests.users_content(nats, flows, {**both[0], **both[1]})
        )
        name = manifests.NAME
        secret = internal.apply(lambda passwords: manifests.secret_content(nats, platform, passwords))
        secret_name = self._register(f"{name}-secrets", servers.secret(secret)).metadata["name"]
        before = [
            self._register(manifests.USERS, servers.secret(users, manifests.USERS)),
            self._register(name, servers.service_account()),
            self._register(f"{name}-configuration", servers.config_map(manifests.configuration_content(nats))),
            self._register(name, manifests.server_policy(nats, graph, platform)),
        ]
        self._register(servers.headless, servers.headless_service(manifests.ports(nats)))
        self._register(name, servers.disruption_budget())
        client = self._register(name, servers.client_service({"client": PORT}))
        stateful_set = manifests.stateful_set(nats, platform, secret_name)
        running = self._register(name, stateful_set, *before, data=True, awaited=True)
        if nats.streams:
            self._add_streams(nats, internal.apply(manifests.streams_secret_content), client, running)
        self.register_outputs({})

    def _add_streams(self, nats: NatsSettings, secret: pulumi.Output[dict[str, str]], *after: pulumi.Resource) -> None:
        name, job = manifests.STREAMS, manifests.streams(self._platform)
        secret_name = self._register(f"{name}-secrets", job.secret(secret)).metadata["name"]
        before = [
            self._register(name, job.service_account()),
            self._register(f"{name}-configuration", job.config_map(manifests.streams_content(nats))),
            self._register(name, manifests.streams_policy(self._platform)),
        ]
        self._register(name, manifests.streams_job(nats, self._platform, secret_name), *before, *after, awaited=True)
