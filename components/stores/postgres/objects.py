"""Objects of PostgreSQL as manifests: the operator's Cluster and Databases, role Secrets, and who may connect."""

import functools
import urllib.parse
from collections.abc import Mapping
from typing import Any

import pulumi

from components.kubernetes.object import Manifest
from components.settings.postgres import PostgresSettings
from components.stores.postgres.replication import PRIMARY_LEASE, SYNCHRONOUS, parameters
from components.traffic.jobs import BackupSource
from components.traffic.network_policy import (
    api_server_rule,
    dns_rule,
    outside_rules,
    own_pods,
    pods_elsewhere,
    scrape_rules,
    tcp_ports,
)
from components.traffic.stores import POSTGRES, POSTGRES_HOST, POSTGRES_PORT, postgres_names, postgres_pod_labels
from components.workloads.component import Surroundings
from components.workloads.objects import network_policy as policy_object
from components.workloads.objects import pull_secret_field, secret
from components.workloads.operated import cluster_pods
from components.workloads.pod_set import PodSet

BACKUP_ROLE = "backup"
RESTORE_ROLE = "restore"
"""Makes databases and works as their owners; only a requested restore gets its password."""

HOME_DATABASE = "platform"
"""Empty database that the operator makes first; the dumps ask there what other databases there are."""

API_VERSION = "postgresql.cnpg.io/v1"
WAL_PLUGIN = "barman-cloud.cloudnative-pg.io"
WAL_STORE = "postgres-wal"
"""Name of the ObjectStore that takes the write-ahead log."""

_STATUS_PORT = 8000
_SMART_SHUTDOWN_SECONDS = 10
_BACKUP_CONNECTIONS = 3
_RESTORE_CONNECTIONS = 3
_RESERVED = _BACKUP_CONNECTIONS + _RESTORE_CONNECTIONS


def servers(surroundings: Surroundings) -> PodSet:
    """Name and labels of the objects of the servers, whose pods the operator makes."""
    return PodSet.of(surroundings, POSTGRES_HOST, "database")


def object_suffix(name: str) -> str:
    """Name of a role or a database as the name of an object may hold it."""
    return name.replace("_", "-")


def object_name(name: str) -> str:
    """Name of the Secret of a role, and of the operator's object for a database."""
    return f"{POSTGRES_HOST}-{object_suffix(name)}"


def login_of(role: str, *, second: bool) -> str:
    """Role that a service logs in with. A role has one password only, so the second password has a role of its own."""
    return f"{role}_2" if second else role


def host_based_authentication(postgres: PostgresSettings) -> list[str]:
    """Rules of pg_hba.conf: each role connects to its own, the backup to each of them, nobody to anything else.

    The operator's own rules (its replicas by certificate, itself by socket) come before these. CloudNativePG has no
    field for the grants of a database, and a new database lets every role connect; these rules hold for databases that
    are made later, too.
    """
    names = [database.name for database in postgres.databases.by_service().values()]
    return [
        *(f"hostssl {name} {name},{login_of(name, second=True)} all scram-sha-256" for name in names),
        f"hostssl {','.join((HOME_DATABASE, *names))} {BACKUP_ROLE} all scram-sha-256",
        # A copy has a name that nobody knows before.
        f"hostssl all {RESTORE_ROLE} all scram-sha-256",
        "host all all all reject",
    ]


def role_secret(role: str, password: pulumi.Input[str], pods: PodSet) -> Manifest:
    """User name and password of a role. The operator gives the role the new password when they change."""
    metadata = pods.metadata(object_name(role))
    metadata["labels"] |= {"cnpg.io/reload": "true"}
    return secret(metadata, {"username": role, "password": password}, "kubernetes.io/basic-auth")


def _role(
    name: str, limit: int, groups: tuple[str, ...] = (), *, makes_databases: bool = False, reads_all_rows: bool = False
) -> dict[str, Any]:
    return {
        "name": name,
        "ensure": "present",
        "login": True,
        "superuser": False,
        "createdb": makes_databases,
        "createrole": False,
        "replication": False,
        "bypassrls": reads_all_rows,
        "inherit": True,
        "inRoles": list(groups),
        "connectionLimit": limit,
        "passwordSecret": {"name": object_name(name)},
    }


def roles(postgres: PostgresSettings, connections: Mapping[str, int]) -> list[dict[str, Any]]:
    """Two roles for each database, held to the connections of its service, one that reads all, and one that restores.

    The second works as the first, which owns the database: it is a member of it and takes its place on login.

    Args:
        postgres: Settings of PostgreSQL.
        connections: Connections that each service may have at its largest scale, by service.
    """
    own = [
        _role(login_of(database.name, second=second), connections[service], (database.name,) if second else ())
        for service, database in postgres.databases.by_service().items()
        for second in (False, True)
    ]
    owners = tuple(role["name"] for role in own)
    return [
        *own,
        # pg_dump refuses a table with row-level security to a role that does not see all of its rows.
        _role(BACKUP_ROLE, _BACKUP_CONNECTIONS, ("pg_read_all_data",), reads_all_rows=True),
        # It compares what it has restored, also what an owner hides from itself (FORCE ROW LEVEL SECURITY).
        _role(RESTORE_ROLE, _RESTORE_CONNECTIONS, owners, makes_databases=True, reads_all_rows=True),
    ]


def cluster(
    postgres: PostgresSettings, surroundings: Surroundings, connections: Mapping[str, int], archive: str | None
) -> Manifest:
    """The servers. Volumes, failover, disruption budgets and certificates are the operator's.

    Args:
        postgres: Settings of PostgreSQL.
        surroundings: The stack around it.
        connections: Connections that each service may have at its largest scale, by service.
        archive: Name of the archive of the write-ahead log in the object store; None where it goes to none.
    """
    given = postgres.parameters.as_configuration()
    configuration: dict[str, Any] = {"parameters": given, "pg_hba": host_based_authentication(postgres)}
    if postgres.synchronous:
        given |= parameters(postgres.storage_size)
        configuration |= {"synchronous": {**SYNCHRONOUS}}
    storage = {"size": postgres.storage_size, "resizeInUseVolumes": True}
    labels, several = postgres_pod_labels(), postgres.instances > 1
    if postgres.storage_class:
        storage["storageClass"] = postgres.storage_class
    spec = {
        "instances": postgres.instances,
        "imageName": postgres.image.reference,
        "imagePullPolicy": surroundings.rollout.image_pull_policy,
        # For the ServiceAccount, which is the operator's.
        **pull_secret_field(surroundings.rollout.image_pull_secrets),
        "enableSuperuserAccess": False,
        # The budget of a single server would block every drain of its node.
        "enablePDB": several,
        # A server that stops waits for open sessions and refuses new ones; three minutes of that are an outage.
        "smartShutdownTimeout": _SMART_SHUTDOWN_SECONDS,
        "primaryUpdateStrategy": "unsupervised",
        "primaryUpdateMethod": "switchover",
        **({"primaryLease": {**PRIMARY_LEASE}} if postgres.synchronous else {}),
        "bootstrap": {"initdb": {"database": HOME_DATABASE, "owner": HOME_DATABASE, "dataChecksums": True}},
        "postgresql": configuration,
        "managed": {
            "roles": roles(postgres, connections),
            "services": {"disabledDefaultServices": ["r"], "additional": [_address()]},
        },
        "storage": storage,
        # The operator signs for its own Services only, and clients use ours.
        "certificates": {"serverAltDNSNames": postgres_names(surroundings.namespace, surroundings.cluster_domain)},
        **cluster_pods(POSTGRES_HOST, postgres.resources, labels, surroundings.mesh_opt_out, apart=several),
        "monitoring": {"disableDefaultQueries": False},
        **(_archiving(archive) if archive else {}),
    }
    return {"apiVersion": API_VERSION, "kind": "Cluster", "metadata": servers(surroundings).metadata(), "spec": spec}


def _archiving(archive: str) -> dict[str, Any]:
    named = {"barmanObjectName": WAL_STORE, "serverName": archive}
    return {"plugins": [{"name": WAL_PLUGIN, "isWALArchiver": True, "parameters": named}]}


def _address() -> dict[str, Any]:
    # The operator makes it of this and points it at the primary, so no selector of ours can lag behind.
    return {
        "selectorType": "rw",
        "updateStrategy": "patch",
        "serviceTemplate": {"metadata": {"name": POSTGRES_HOST}, "spec": {"type": "ClusterIP"}},
    }


def database(name: str, pods: PodSet, limit: int) -> Manifest:
    """A database that belongs to the role of the same name and stays when this object goes.

    Args:
        name: The database.
        pods: The servers.
        limit: Connections of its service, which both of its roles share while one takes the place of the other.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": "Database",
        "metadata": pods.metadata(object_name(name)),
        "spec": {
            "name": name,
            "owner": name,
            "connectionLimit": limit + _RESERVED,
            "ensure": "present",
            "cluster": {"name": POSTGRES_HOST},
            "databaseReclaimPolicy": "retain",
            "schemas": [{"name": "public", "owner": name, "ensure": "present"}],
        },
    }


def network_policy(postgres: PostgresSettings, surroundings: Surroundings) -> Manifest:
    """Allowed traffic: callers and the operator in; each other, the API server, DNS and a bucket out."""
    graph, own = surroundings.graph, own_pods(postgres_pod_labels())
    operator = pods_elsewhere(postgres.operator_namespace, {"app.kubernetes.io/name": "cloudnative-pg"})
    callers = [own_pods(labels) for name in graph.callers_of(POSTGRES) for labels in graph.selectors_of(name)]
    spec = {
        "podSelector": {"matchLabels": postgres_pod_labels()},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {"from": callers, "ports": tcp_ports(POSTGRES_PORT)},
            {"from": [operator], "ports": tcp_ports(_STATUS_PORT)},
            {"from": [own], "ports": tcp_ports(_STATUS_PORT, POSTGRES_PORT)},
            *scrape_rules(POSTGRES, graph),
        ],
        "egress": [
            {"to": [own], "ports": tcp_ports(POSTGRES_PORT, _STATUS_PORT)},
            # A server's instance manager keeps its state in the API server.
            api_server_rule(graph.egress),
            dns_rule(graph.egress.dns),
            *outside_rules(POSTGRES, graph),
        ],
    }
    return policy_object(servers(surroundings).metadata(), spec)


def backup_source(
    postgres: PostgresSettings, backup_password: pulumi.Output[str], restore_password: pulumi.Output[str]
) -> BackupSource:
    """Access of backups."""
    return BackupSource(
        name=POSTGRES,
        # The server of a restore test lives there, so it must hold the largest database once more.
        scratch_size=postgres.storage_size,
        storage_class=postgres.storage_class,
        environment={
            "PGHOST": POSTGRES_HOST,
            "PGPORT": str(POSTGRES_PORT),
            "PGUSER": BACKUP_ROLE,
            "PGDATABASE": HOME_DATABASE,
            "PGSSLMODE": "require",
        },
        secrets={"PGPASSWORD": backup_password},
        restore_secrets={"PG_RESTORE_PASSWORD": restore_password},
        parts=[database.name for database in postgres.databases.by_service().values()],
    )


def url(database_name: str, password: str, *, second: bool) -> str:
    """Address of the database of a service; see `environment`."""
    options = f"&options={urllib.parse.quote(_works_as(database_name))}" if second else ""
    login = login_of(database_name, second=second)
    return f"postgresql://{login}:{password}@{POSTGRES_HOST}:{POSTGRES_PORT}/{database_name}?sslmode=require{options}"


def _works_as(role: str) -> str:
    return f"-c role={role}"


def environment(
    database_name: str, password: pulumi.Input[str], *, second: bool = False
) -> Mapping[str, pulumi.Input[str]]:
    """Variables with the database of a service, under every name that is documented or read by the code.

    Args:
        database_name: The database, and the role that owns it.
        password: Password of the role that logs in.
        second: Whether that is the second role, which then works as the first, so that all objects have one owner.
    """
    return {
        **({"PGOPTIONS": _works_as(database_name)} if second else {}),
        "DATABASE_URL": pulumi.Output.from_input(password).apply(functools.partial(url, database_name, second=second)),
        "DB_HOST": POSTGRES_HOST,
        "DB_PORT": str(POSTGRES_PORT),
        "DB_NAME": database_name,
        "DB_USER": login_of(database_name, second=second),
        "DB_PASSWORD": password,
    }
