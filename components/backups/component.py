"""Backups and restore tests of one store of a stack, each store on a volume of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import pulumi

from components.backups import cron_jobs
from components.settings.backup import BackupSettings
from components.settings.secrets import OBJECT_STORE_CREDENTIALS
from components.stack.configuration import StackConfiguration
from components.traffic.jobs import BackupSource
from components.workloads.component import ObjectComponent, Surroundings

ENCRYPTION_KEY = "backupEncryptionKey"
CREDENTIAL_KEYS = dict(zip(cron_jobs.CREDENTIAL_VARIABLES, OBJECT_STORE_CREDENTIALS, strict=True))
"""Secret of the stack by the variable that carries it."""


@dataclass(frozen=True, kw_only=True)
class StoreBackupArgs:
    """Arguments of the backups of a store.

    Attributes:
        surroundings: The stack around it.
        stack: Name of the stack, whose folder in a bucket it is.
        settings: Settings of the backups.
        source: Facts about the store.
        encryption_key: Key that encrypts the backups.
        credentials: Credentials of the object store by variable; empty without one.
    """

    surroundings: Surroundings
    stack: str
    settings: BackupSettings
    source: BackupSource
    encryption_key: pulumi.Output[str]
    credentials: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, stack: StackConfiguration, surroundings: Surroundings, source: BackupSource) -> Self | None:
        """The arguments in a stack; None where it makes no backups."""
        settings = stack.platform.backup
        if settings is None:
            return None
        keys = CREDENTIAL_KEYS if settings.object_store else {}
        return cls(
            surroundings=surroundings,
            stack=pulumi.get_stack(),
            settings=settings,
            source=source,
            encryption_key=stack.secrets[ENCRYPTION_KEY],
            credentials={variable: stack.secrets[key] for variable, key in keys.items()},
        )


class StoreBackup(ObjectComponent):
    """CronJobs of a store's backups and restore tests with their volume, keys, identities and NetworkPolicies.

    Owns when backups are made and where they lie. Does not own the program that makes them (the package `backup`) or
    the write-ahead log, which is the operator's.
    """

    def __init__(self, name: str, args: StoreBackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            "alt-las:shared:StoreBackup", name, args.surroundings, opts, formerly="alt-las:shared:PostgresBackup"
        )
        backup, source, drill = args.settings, args.source, f"{name}-drill"
        dumps = cron_jobs.dump_objects(args.surroundings, source.name)
        drills = cron_jobs.drill_objects(args.surroundings, source.name)
        key = {cron_jobs.KEY_VARIABLE: args.encryption_key}
        content = pulumi.Output.all(**source.secrets, **source.restore_secrets, **key, **args.credentials)
        secret = self._register(f"{name}-secrets", dumps.secret(content)).metadata["name"]
        drill_secret = self._register(f"{drill}-secrets", drills.secret(pulumi.Output.all(**key))).metadata["name"]
        before = [
            self._register(name, dumps.service_account()),
            self._register(drill, drills.service_account()),
            self._register(name, dumps.declared_policy(args.surroundings.graph, args.surroundings.controller)),
            # A restore test reaches nobody, and nobody reaches it.
            self._register(drill, drills.network_policy([], [])),
            self._register(f"{name}-dumps", cron_jobs.claim(dumps, backup, source), data=True),
        ]
        self._register(name, cron_jobs.dump_cron_job(dumps, backup, source, secret, args.stack), *before)
        self._register(drill, cron_jobs.drill_cron_job(drills, backup, source, drill_secret), *before)
        self.register_outputs({})
