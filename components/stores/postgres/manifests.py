"""The objects of PostgreSQL as manifests: the operator's Cluster and Databases, role Secrets, and who may connect."""

import functools
import urllib.parse
from collections.abc import Mapping
from typing import Any

import pulumi

from components.kubernetes import naming
from components.kubernetes.object import Manifest
from components.settings.platform import ROLLOUT_SURGE, PlatformSettings
from components.settings.postgres import PostgresSettings, connections_needed
from components.traffic.graph import ServiceGraph
from components.traffic.network_policy import API_SERVER_PORTS, dns_rule, pods_elsewhere, scrape_rules
from components.workloads.mesh_labels import opt_out_labels

HOST = "postgres-db"
"""Name of the cluster, and the DNS name under which services reach its primary."""

PORT = 5432
STORE = "postgres"
"""Name of PostgreSQL in the service graph."""

BACKUP_ROLE = "backup"
RESTORE_ROLE = "restore"
"""Makes databases and works as their owners; only a restore that somebody asks for gets its password."""

HOME_DATABASE = "platform"
"""Empty database that the operator makes first; the dumps ask there what other databases there are."""

WAL_PLUGIN = "barman-cloud.cloudnative-pg.io"
WAL_STORE = "postgres-wal"
"""Name of the ObjectStore that takes the write-ahead log."""

_STATUS_PORT = 8000
_BACKUP_CONNECTIONS = 3
_RESTORE_CONNECTIONS = 3
_POD_LABELS = {"cnpg.io/cluster": HOST}


def pod_labels() -> dict[str, str]:
    """Labels that the operator gives the servers' pods."""
    return dict(_POD_LABELS)


def role_secret_name(role: str) -> str:
    """Name of the Secret with a role's password."""
    return f"{HOST}-{role.replace('_', '-')}"


def database_object_name(database: str) -> str:
    """Name of the operator's object for a database."""
    return f"{HOST}-{database.replace('_', '-')}"


def login_of(role: str, *, second: bool) -> str:
    """Role that a service logs in with. A role has one password only, so the second password has a role of its own."""
    return f"{role}_2" if second else role


def host_based_authentication(postgres: PostgresSettings) -> list[str]:
    """Who may connect to which database: each role to its own, the backup to each of them, nobody to anything else.

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


def _metadata(name: str, platform: PlatformSettings) -> dict[str, Any]:
    return {"name": name, "namespace": platform.namespace, "labels": naming.labels(HOST, "database")}


def role_secret(role: str, password: pulumi.Input[str], platform: PlatformSettings) -> Manifest:
    """User name and password of a role. The operator gives the role the new password when they change."""
    metadata = _metadata(role_secret_name(role), platform)
    metadata["labels"] |= {"cnpg.io/reload": "true"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "kubernetes.io/basic-auth",
        "stringData": {"username": role, "password": password},
    }


def _role(name: str, limit: int, groups: tuple[str, ...] = (), *, makes_databases: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "ensure": "present",
        "login": True,
        "superuser": False,
        "createdb": makes_databases,
        "createrole": False,
        "replication": False,
        "bypassrls": False,
        "inherit": True,
        "inRoles": list(groups),
        "connectionLimit": limit,
        "passwordSecret": {"name": role_secret_name(name)},
    }


def connections(postgres: PostgresSettings, platform: PlatformSettings) -> Mapping[str, int]:
    """Connections that each service may have at its largest scale, by service."""
    return connections_needed(postgres, platform.most_pods(), ROLLOUT_SURGE)


def roles(postgres: PostgresSettings, platform: PlatformSettings) -> list[dict[str, Any]]:
    """Two roles for each database, held to the connections of its service, one that reads all, and one that restores.

    The second works as the first, which owns the database: it is a member of it and takes its place on login.
    """
    needed = connections(postgres, platform)
    own = [
        _role(login_of(database.name, second=second), needed[service], (database.name,) if second else ())
        for service, database in postgres.databases.by_service().items()
        for second in (False, True)
    ]
    owners = tuple(role["name"] for role in own)
    return [
        *own,
        _role(BACKUP_ROLE, _BACKUP_CONNECTIONS, ("pg_read_all_data",)),
        _role(RESTORE_ROLE, _RESTORE_CONNECTIONS, owners, makes_databases=True),
    ]


def cluster(postgres: PostgresSettings, platform: PlatformSettings) -> Manifest:
    """The servers. Volumes, failover, disruption budgets and certificates are the operator's."""
    synchronous = {"method": "any", "number": 1, "dataDurability": "required", "failoverQuorum": True}
    configuration: dict[str, Any] = {
        "parameters": postgres.parameters.as_configuration(),
        "pg_hba": host_based_authentication(postgres),
        **({"synchronous": synchronous} if postgres.synchronous else {}),
    }
    storage = {"size": postgres.storage_size, "resizeInUseVolumes": True}
    if postgres.storage_class:
        storage["storageClass"] = postgres.storage_class
    spec = {
        "instances": postgres.instances,
        "imageName": postgres.image.reference,
        "imagePullPolicy": platform.rollout.image_pull_policy,
        "enableSuperuserAccess": False,
        "enablePDB": True,
        "primaryUpdateStrategy": "unsupervised",
        "primaryUpdateMethod": "switchover",
        "bootstrap": {"initdb": {"database": HOME_DATABASE, "owner": HOME_DATABASE, "dataChecksums": True}},
        "postgresql": configuration,
        "managed": {
            "roles": roles(postgres, platform),
            "services": {"disabledDefaultServices": ["r"], "additional": [_address()]},
        },
        "storage": storage,
        "resources": {
            "requests": postgres.resources.requests.model_dump(),
            "limits": postgres.resources.limits.model_dump(),
        },
        "seccompProfile": {"type": "RuntimeDefault"},
        "affinity": {
            "enablePodAntiAffinity": True,
            "podAntiAffinityType": "preferred",
            "topologyKey": "kubernetes.io/hostname",
        },
        "topologySpreadConstraints": [_zone_spread()],
        "monitoring": {"disableDefaultQueries": False},
        **_archiving(platform),
        "inheritedMetadata": {"labels": naming.selector_labels(HOST) | opt_out_labels(platform)},
    }
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": _metadata(HOST, platform),
        "spec": spec,
    }


def _archiving(platform: PlatformSettings) -> dict[str, Any]:
    if not (platform.backup and platform.backup.object_store):
        return {}
    parameters = {"barmanObjectName": WAL_STORE, "serverName": HOST}
    return {"plugins": [{"name": WAL_PLUGIN, "isWALArchiver": True, "parameters": parameters}]}


def _address() -> dict[str, Any]:
    # The operator makes it of this and points it at whoever is primary, so no selector of ours can lag behind.
    return {
        "selectorType": "rw",
        "updateStrategy": "patch",
        "serviceTemplate": {
            "metadata": {"name": HOST},
            "spec": {"type": "ClusterIP"},
        },
    }


def _zone_spread() -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        # A cluster without zones, or with one down, must still be able to run every server.
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": pod_labels()},
    }


def database(name: str, platform: PlatformSettings, limit: int) -> Manifest:
    """A database that belongs to the role of the same name and stays when this object goes.

    Args:
        name: The database.
        platform: The stack's settings.
        limit: Connections of its service, which both of its roles share while one takes the place of the other.
    """
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Database",
        "metadata": _metadata(database_object_name(name), platform),
        "spec": {
            "name": name,
            "owner": name,
            "connectionLimit": limit + _BACKUP_CONNECTIONS + _RESTORE_CONNECTIONS,
            "ensure": "present",
            "cluster": {"name": HOST},
            "databaseReclaimPolicy": "retain",
            "schemas": [{"name": "public", "owner": name, "ensure": "present"}],
        },
    }


def network_policy(graph: ServiceGraph, postgres: PostgresSettings, platform: PlatformSettings) -> Manifest:
    """Who may connect to the servers, and whom they call: each other, the API server and DNS."""
    own = {"podSelector": {"matchLabels": pod_labels()}}
    operator = pods_elsewhere(postgres.operator_namespace, {"app.kubernetes.io/name": "cloudnative-pg"})
    callers = [{"podSelector": {"matchLabels": graph.selector_of(name)}} for name in graph.callers_of(STORE)]
    api_server = [{"ipBlock": {"cidr": f"{address}/32"}} for address in platform.egress.api_server_addresses]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(HOST, platform),
        "spec": {
            "podSelector": {"matchLabels": pod_labels()},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": callers, "ports": _tcp(PORT)},
                {"from": [operator, own], "ports": _tcp(_STATUS_PORT, PORT)},
                *scrape_rules(STORE, graph),
            ],
            "egress": [
                {"to": [own], "ports": _tcp(PORT, _STATUS_PORT)},
                # A server's instance manager keeps its state in the API server.
                {"to": api_server, "ports": _tcp(*API_SERVER_PORTS)},
                dns_rule(),
            ],
        },
    }


def _tcp(*ports: int) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def url(database_name: str, password: str, *, second: bool) -> str:
    """How a service reaches its database; see `environment`."""
    options = f"&options={urllib.parse.quote(_works_as(database_name))}" if second else ""
    login = login_of(database_name, second=second)
    return f"postgresql://{login}:{password}@{HOST}:{PORT}/{database_name}?sslmode=require{options}"


def _works_as(role: str) -> str:
    return f"-c role={role}"


def environment(
    database_name: str, password: pulumi.Input[str], *, second: bool = False
) -> Mapping[str, pulumi.Input[str]]:
    """How a service reaches its database, under every name that is documented or read by the code.

    Args:
        database_name: The database, and the role that owns it.
        password: Password of the role that logs in.
        second: Whether that is the second role, which then works as the first, so that all objects have one owner.
    """
    return {
        **({"PGOPTIONS": _works_as(database_name)} if second else {}),
        "DATABASE_URL": pulumi.Output.from_input(password).apply(functools.partial(url, database_name, second=second)),
        "DB_HOST": HOST,
        "DB_PORT": str(PORT),
        "DB_NAME": database_name,
        "DB_USER": login_of(database_name, second=second),
        "DB_PASSWORD": password,
    }
