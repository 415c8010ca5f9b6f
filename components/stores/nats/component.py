"""NATS of a stack: one server, or several that elect leaders, behind the same address, with the declared streams."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import pulumi

from components.settings.nats import NatsSettings
from components.settings.prometheus import ExporterSettings
from components.settings.secrets import password_key
from components.settings.services import ServicesSettings
from components.stack.configuration import Passwords, StackConfiguration
from components.stores.nats import objects
from components.stores.nats.configuration import PORT, user_of
from components.traffic.jobs import BackupSource
from components.traffic.message_flow import MessageFlow
from components.traffic.stores import NATS_USERS
from components.workloads.component import ObjectComponent, Surroundings

PASSWORD_KEYS = {each: password_key("nats", each) for each in ServicesSettings.with_store("nats")}
"""Secret with the password of each service's user."""

INTERNAL_SECRET_KEY = "natsInternalSecret"  # noqa: S105  # the name of a configuration key


@dataclass(frozen=True, kw_only=True)
class NatsArgs:
    """Arguments of NATS.

    Attributes:
        surroundings: The stack around it.
        settings: Settings of NATS.
        flows: Subjects that the services publish and consume.
        passwords: Passwords of each service that has a user, by service.
        internal: Secret from which the passwords of all other users are derived.
        exporter: Settings of the exporter in the pod of each server, or None without monitoring.
        prepares: Whether services may read messages but not publish any, until all are read.
    """

    surroundings: Surroundings
    settings: NatsSettings
    flows: Sequence[MessageFlow]
    passwords: Mapping[str, Passwords]
    internal: pulumi.Output[str]
    exporter: ExporterSettings | None = None
    prepares: bool = False

    @classmethod
    def of(cls, stack: StackConfiguration, surroundings: Surroundings, flows: Sequence[MessageFlow]) -> Self | None:
        """The arguments in a stack; None where it runs no NATS itself."""
        settings = stack.platform.nats
        if settings is None:
            return None
        prometheus = stack.platform.prometheus
        return cls(
            surroundings=surroundings,
            settings=settings,
            flows=flows,
            passwords={service: stack.passwords(key) for service, key in PASSWORD_KEYS.items()},
            internal=stack.secrets[INTERNAL_SECRET_KEY],
            exporter=prometheus.exporters.nats if prometheus else None,
            prepares=stack.prepares,
        )


class Nats(ObjectComponent):
    """Servers with their volumes, users, Services, NetworkPolicies, and the Job that makes the streams.

    Owns what the servers are, who may do what in them, and how streams are set up. Does not own the messages.

    Attributes:
        url_of: Secret address for each service that has a user, by service.
        environment: Secret variables by service.
        backup_source: Facts that backups need.
    """

    url_of: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: NatsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:shared:Nats", name, args.surroundings, opts)
        nats, surroundings = args.settings, args.surroundings
        servers, internal = objects.servers(surroundings), args.internal.apply(objects.internal_passwords)
        secret = internal.apply(lambda passwords: objects.secret_content(nats, servers, passwords))
        secret_name = self._register(f"{name}-secrets", servers.secret(secret)).metadata["name"]
        before = [
            self._register(f"{name}-users", servers.secret(_users(args, internal), NATS_USERS)),
            self._register(name, servers.service_account()),
            self._register(f"{name}-configuration", servers.config_map(objects.configuration_content(nats))),
            self._register(name, objects.server_policy(nats, surroundings)),
        ]
        self._register(f"{name}-servers", servers.headless_service(objects.ports(nats)))
        self._register(name, servers.disruption_budget())
        client = self._register(name, servers.client_service({"client": PORT}))
        stateful_set = objects.stateful_set(nats, servers, secret_name, args.exporter)
        running = self._register(name, stateful_set, *before, data=True, awaited=True)
        if nats.streams:
            streams_secret = internal.apply(objects.streams_secret_content)
            self._add_streams(f"{name}-streams", args, streams_secret, client, running)
        self.url_of = {service: _url(service, passwords) for service, passwords in args.passwords.items()}
        self.environment = {service: {"NATS_URL": url} for service, url in self.url_of.items()}
        self.backup_source: BackupSource = objects.backup_source(nats, args.internal)
        self.register_outputs({"url_of": self.url_of})

    def _add_streams(
        self, name: str, args: NatsArgs, secret: pulumi.Output[dict[str, str]], *after: pulumi.Resource
    ) -> None:
        nats, surroundings = args.settings, args.surroundings
        job = objects.streams(surroundings)
        secret_name = self._register(f"{name}-secrets", job.secret(secret)).metadata["name"]
        before = [
            self._register(name, job.service_account()),
            self._register(f"{name}-configuration", job.config_map(objects.streams_content(nats))),
            self._register(name, objects.streams_policy(surroundings)),
        ]
        self._register(name, objects.streams_job(nats, surroundings, secret_name), *before, *after, awaited=True)


def _users(args: NatsArgs, internal: pulumi.Output[dict[str, str]]) -> pulumi.Output[dict[str, str]]:
    services = {
        user_of(service, second=bool(second)): password
        for service, passwords in args.passwords.items()
        for second, password in enumerate(passwords.both)
    }
    flows = [replace(flow, publishes=()) for flow in args.flows] if args.prepares else args.flows
    return pulumi.Output.all(internal, services).apply(
        lambda both: objects.users_content(args.settings, flows, {**both[0], **both[1]})
    )


def _url(service: str, passwords: Passwords) -> pulumi.Output[str]:
    user = user_of(service, second=passwords.second_in_use)
    return passwords.in_use.apply(functools.partial(objects.url, user))
