"""PostgreSQL of a stack, run by the operator CloudNativePG."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import pulumi

from components.settings.postgres import PostgresSettings, connections_needed
from components.settings.rollout import ROLLOUT_SURGE
from components.settings.secrets import password_key
from components.settings.services import ServicesSettings
from components.stack.configuration import Passwords, StackConfiguration
from components.stores.postgres import objects
from components.traffic.jobs import BackupSource
from components.workloads.component import ObjectComponent, Surroundings

PASSWORD_KEYS = {each: password_key("postgres", each) for each in ServicesSettings.with_store("postgres")}
"""Secret with the password of each service's role."""

RESTORE_PASSWORD_KEY = "postgresRestorePassword"  # noqa: S105  # the name of a configuration key
BACKUP_PASSWORD_KEY = "postgresBackupPassword"  # noqa: S105  # the name of a configuration key


@dataclass(frozen=True, kw_only=True)
class PostgresArgs:
    """Arguments of PostgreSQL.

    Attributes:
        surroundings: The stack around it.
        settings: Settings of PostgreSQL.
        passwords: Passwords of the roles of each service that has a database, by service.
        backup_password: Password of the role that reads everything for the backups.
        restore_password: Password of the role that restores.
        connections: Connections that each service may have at its largest scale, by service.
        archive: Name of the archive of the write-ahead log in the object store; None where it goes to none.
        prepares: Whether commits stay as they are: one can wait for a second server when it is there.
    """

    surroundings: Surroundings
    settings: PostgresSettings
    passwords: Mapping[str, Passwords]
    backup_password: pulumi.Output[str]
    restore_password: pulumi.Output[str]
    connections: Mapping[str, int]
    archive: str | None = None
    prepares: bool = False

    @classmethod
    def of(cls, stack: StackConfiguration, surroundings: Surroundings) -> Self | None:
        """The arguments in a stack; None where it runs no PostgreSQL itself."""
        settings = stack.platform.postgres
        if settings is None:
            return None
        platform = stack.platform
        bucket = platform.backup.object_store if platform.backup else None
        return cls(
            surroundings=surroundings,
            settings=settings,
            passwords={service: stack.passwords(PASSWORD_KEYS[service]) for service in settings.databases.by_service()},
            backup_password=stack.secrets[BACKUP_PASSWORD_KEY],
            restore_password=stack.secrets[RESTORE_PASSWORD_KEY],
            connections=connections_needed(settings, platform.most_pods(), ROLLOUT_SURGE),
            archive=bucket.archive() if bucket else None,
            prepares=stack.prepares,
        )


class Postgres(ObjectComponent):
    """The Cluster, a Database and a role Secret for each service, and the NetworkPolicy in front of them.

    Owns what the servers are and who may connect. Does not own the operator, the volumes that the operator makes, or
    the backups.

    Attributes:
        url_of: Secret address for each service that has a database, by service.
        environment: Secret variables by service.
        backup_source: Facts that backups need.
    """

    url_of: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: PostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:shared:Postgres", name, args.surroundings, opts)
        databases, pods = args.settings.databases.by_service(), objects.servers(args.surroundings)
        # Not guarded as data: a new password replaces the Secret, and the stack file holds what it is made of.
        before: list[pulumi.Resource] = [
            self._register(f"{name}-{objects.object_suffix(role)}", objects.role_secret(role, password, pods))
            for role, password in _passwords(args).items()
        ]
        before.append(self._register(name, objects.network_policy(args.settings, args.surroundings)))
        cluster = self._register(
            name,
            objects.cluster(args.settings, args.surroundings, args.connections, args.archive),
            *before,
            data=True,
            held=("spec.postgresql",) if args.prepares else (),
        )
        for service, database in databases.items():
            made = objects.database(database.name, pods, args.connections[service])
            self._register(f"{name}-{objects.object_suffix(database.name)}", made, cluster, data=True)
        self.environment = {
            service: objects.environment(
                database.name, args.passwords[service].in_use, second=args.passwords[service].second_in_use
            )
            for service, database in databases.items()
        }
        self.url_of = {
            service: pulumi.Output.from_input(variables["DATABASE_URL"])
            for service, variables in self.environment.items()
        }
        self.backup_source: BackupSource = objects.backup_source(
            args.settings, args.backup_password, args.restore_password
        )
        self.register_outputs({"url_of": self.url_of})


def _passwords(args: PostgresArgs) -> dict[str, pulumi.Output[str]]:
    """Password of each role: two for each service, one for backups, one for restores."""
    passwords = {objects.BACKUP_ROLE: args.backup_password, objects.RESTORE_ROLE: args.restore_password}
    for service, database in args.settings.databases.by_service().items():
        for second, password in enumerate(args.passwords[service].both):
            passwords[objects.login_of(database.name, second=bool(second))] = password
    return passwords
