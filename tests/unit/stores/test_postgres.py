"""The objects of PostgreSQL, as the program registers them."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from components.stack.problems import PLATFORM_KEY
from rendering.recorder import run_program
from rendering.root import ROOT
from tests.support.data_documents import backup_document, postgres_document
from tests.support.documents import alpha_with
from tests.support.program import Program, build, configure, find, full_configuration

KEPT = [
    ("kubernetes:postgresql.cnpg.io/v1:Cluster", "postgres-db"),
    ("kubernetes:postgresql.cnpg.io/v1:Database", "postgres-db-archive"),
    ("kubernetes:postgresql.cnpg.io/v1:Database", "postgres-db-segmentation"),
]


def program(changes: Mapping[str, Any] | None = None, **postgres: Any) -> Program:
    """Alpha with PostgreSQL, changed at paths of the document and in the PostgreSQL section."""
    others = {"redis": None, "nats": None, "backup": None}
    document = alpha_with({"postgres": postgres_document(**postgres)} | others | dict(changes or {}))
    values = full_configuration("alpha") | {PLATFORM_KEY: json.dumps(document)}
    configure(values)
    return build(lambda: run_program(ROOT))


@pytest.fixture(scope="module")
def small() -> Program:
    """One server."""
    return program()


def cluster(of: Program) -> dict[str, Any]:
    """Spec of the operator's Cluster."""
    spec: dict[str, Any] = find(of.recorder.objects, "Cluster", "postgres-db")["spec"]
    return spec


def test_what_holds_data_is_protected_and_kept(small: Program) -> None:
    """Neither `pulumi destroy` nor a replacement may take it."""
    for type_token, name in KEPT:
        request = small.request(type_token, name)
        assert (request.protect, request.retainOnDelete) == (True, True), name
    # A password must be replaceable, or it could not be rotated.
    assert not small.request("kubernetes:core/v1:Secret", "postgres-db-archive").protect


def test_a_tombstone_gives_up_what_it_names_and_nothing_else() -> None:
    """Data goes only by name."""
    given_up = program({"tombstones": ["postgres-db"]})
    states = {name: given_up.request(type_token, name).protect for type_token, name in KEPT}
    assert [name for name, protect in states.items() if not protect] == ["postgres-db"]


def test_a_single_server_lets_its_node_drain(small: Program) -> None:
    """The operator's disruption budget for a primary that has no standby would stop every `kubectl drain`."""
    assert cluster(small)["enablePDB"] is False
    assert cluster(program(instances=3))["enablePDB"] is True


def test_no_server_takes_huge_pages(small: Program) -> None:
    """A pod without a limit for them ends with a bus error on a node that has some."""
    assert cluster(small)["postgresql"]["parameters"]["huge_pages"] == "off"


def test_a_stop_waits_ten_seconds_for_open_sessions(small: Program) -> None:
    """A server that waits refuses new connections; the operator's default is three minutes."""
    assert cluster(small)["smartShutdownTimeout"] == 10


def test_one_server_commits_alone_and_three_wait_for_a_second(small: Program) -> None:
    """With one server nobody could confirm, so every commit would wait for ever."""
    assert "synchronous" not in cluster(small)["postgresql"]
    three = cluster(program(instances=3))
    assert three["instances"] == 3
    assert three["postgresql"]["synchronous"] == {
        "method": "any",
        "number": 1,
        "dataDurability": "required",
        "failoverQuorum": True,
    }


def test_a_failover_of_several_servers_does_not_wait_for_the_operator_s_long_lease(small: Program) -> None:
    """Half of its time was that wait. The operator's webhook wants each longer than the next, the second by a fifth."""
    assert "primaryLease" not in cluster(small)
    assert "wal_retrieve_retry_interval" not in cluster(small)["postgresql"]["parameters"]
    three = cluster(program(instances=3))
    lease = three["primaryLease"]
    assert lease == {"leaseDurationSeconds": 5, "renewDeadlineSeconds": 4, "retryPeriodSeconds": 1}
    assert lease["leaseDurationSeconds"] > lease["renewDeadlineSeconds"] > 1.2 * lease["retryPeriodSeconds"]
    assert three["postgresql"]["parameters"]["wal_retrieve_retry_interval"] == "1s"


def test_the_log_that_is_kept_for_an_absent_standby_does_not_fill_the_volume(small: Program) -> None:
    """A share of the volume, in megabytes as PostgreSQL counts them; a single server has no standby."""
    key = "max_slot_wal_keep_size"
    assert key not in cluster(small)["postgresql"]["parameters"]
    assert cluster(program(instances=3, storageSize="10Gi"))["postgresql"]["parameters"][key] == "3072MB"


def test_a_role_reaches_its_own_database_and_no_other(small: Program) -> None:
    """In this order; the last line shuts the door."""
    assert cluster(small)["postgresql"]["pg_hba"] == [
        "hostssl segmentation segmentation,segmentation_2 all scram-sha-256",
        "hostssl archive archive,archive_2 all scram-sha-256",
        "hostssl platform,segmentation,archive backup all scram-sha-256",
        "hostssl all restore all scram-sha-256",
        "host all all all reject",
    ]


def test_no_role_has_more_rights_or_connections_than_it_needs(small: Program) -> None:
    """Six pods with five connections each; the backup may read and nothing else."""
    roles = {role["name"]: role for role in cluster(small)["managed"]["roles"]}
    assert {name: role["connectionLimit"] for name, role in roles.items()} == {
        "segmentation": 30,
        "segmentation_2": 30,
        "archive": 30,
        "archive_2": 30,
        "backup": 3,
        "restore": 3,
    }
    assert {name: role["inRoles"] for name, role in roles.items()} == {
        "segmentation": [],
        "segmentation_2": ["segmentation"],
        "archive": [],
        "archive_2": ["archive"],
        "backup": ["pg_read_all_data"],
        "restore": ["segmentation", "segmentation_2", "archive", "archive_2"],
    }
    assert [name for name, role in roles.items() if role["createdb"]] == ["restore"]
    for role in roles.values():
        powers = [role[power] for power in ("superuser", "createrole", "replication")]
        assert powers == [False] * 3
    # pg_dump refuses a table with row-level security to a role that does not see all of its rows.
    assert [name for name, role in roles.items() if role["bypassrls"]] == ["backup", "restore"]


def test_services_get_their_own_database_under_every_documented_name(small: Program) -> None:
    """The URL of the stack file is replaced by that of the stack's own PostgreSQL."""
    secret = find(small.recorder.objects, "Secret", "archive-service-secrets")["stringData"]
    password = "value-of-postgresArchivePassword"
    assert {name: secret[name] for name in secret if name.startswith(("DATABASE", "DB_"))} == {
        "DATABASE_URL": f"postgresql://archive:{password}@postgres-db:5432/archive?sslmode=require",
        "DB_HOST": "postgres-db",
        "DB_PORT": "5432",
        "DB_NAME": "archive",
        "DB_USER": "archive",
        "DB_PASSWORD": password,
    }


def test_the_second_password_has_a_role_that_works_as_the_first() -> None:
    """So that what it makes belongs to the first, and both may change it."""
    values = full_configuration("alpha") | {"alt-las:secondInUse": "postgresArchivePassword"}
    configure(values, [key for key in values if key not in (PLATFORM_KEY, "alt-las:secondInUse")])
    objects = build(lambda: run_program(ROOT)).recorder.objects
    secret = find(objects, "Secret", "archive-service-secrets")["stringData"]
    password = "value-of-postgresArchivePasswordSecond"
    assert secret["DATABASE_URL"] == (
        f"postgresql://archive_2:{password}@postgres-db:5432/archive?sslmode=require&options=-c%20role%3Darchive"
    )
    assert (secret["DB_USER"], secret["DB_PASSWORD"]) == ("archive_2", password)
    assert secret["PGOPTIONS"] == "-c role=archive"
    other = find(objects, "Secret", "segmentation-service-secrets")["stringData"]
    assert other["DB_USER"] == "segmentation"


def test_a_password_stands_in_secrets_only(small: Program) -> None:
    """Neither the Cluster nor a ConfigMap repeats it."""
    for manifest in small.recorder.objects:
        if manifest["kind"] != "Secret":
            assert "Password" not in json.dumps(manifest), manifest["metadata"]["name"]


@pytest.mark.parametrize(
    ("with_backup", "callers"),
    [
        (False, ["archive-service", "segmentation-service"]),
        (True, ["archive-service", "postgres-backup", "segmentation-service"]),
    ],
)
def test_only_services_with_a_database_and_the_dumps_may_connect(with_backup: bool, callers: list[str]) -> None:
    """And the servers among themselves; the operator comes from its own namespace."""
    changes = {"backup": backup_document()} if with_backup else {}
    spec = find(program(changes).recorder.objects, "NetworkPolicy", "postgres-db")["spec"]
    clients, operators, servers, scrapers = spec["ingress"]
    names = [peer["podSelector"]["matchLabels"].get("app.kubernetes.io/name") for peer in clients["from"]]
    assert sorted(name for name in names if name) == callers
    assert servers["from"] == [{"podSelector": {"matchLabels": {"cnpg.io/cluster": "postgres-db"}}}]
    # The operator asks the servers how they are, and never their databases.
    assert operators["ports"] == [{"protocol": "TCP", "port": 8000}]
    assert [each["port"] for each in servers["ports"]] == [8000, 5432]
    assert clients["ports"] == [{"protocol": "TCP", "port": 5432}]
    namespace = operators["from"][0]["namespaceSelector"]["matchLabels"]
    assert namespace == {"kubernetes.io/metadata.name": "cnpg-system"}
    assert [peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for peer in scrapers["from"]] == ["prometheus"]
    assert scrapers["ports"] == [{"protocol": "TCP", "port": 9187}]


def test_the_certificate_of_the_servers_names_the_host_that_clients_use() -> None:
    """In every form, also of another cluster domain, for clients that check the name."""
    names = cluster(program({"clusterDomain": "k8s.example.org"}))["certificates"]["serverAltDNSNames"]
    assert names == [
        "postgres-db",
        "postgres-db.alt-las",
        "postgres-db.alt-las.svc",
        "postgres-db.alt-las.svc.k8s.example.org",
    ]


def test_a_service_may_open_connections_to_the_servers(small: Program) -> None:
    """The other half of the edge: what the server admits, the service may send."""
    egress = find(small.recorder.objects, "NetworkPolicy", "archive-service")["spec"]["egress"]
    assert {
        "to": [{"podSelector": {"matchLabels": {"cnpg.io/cluster": "postgres-db"}}}],
        "ports": [{"protocol": "TCP", "port": 5432}],
    } in egress


def test_the_storage_class_is_the_cluster_s_own_unless_named() -> None:
    """A name that the cluster does not have would leave the volumes pending."""
    assert "storageClass" not in cluster(program())["storage"]
    assert cluster(program(storageClass="fast"))["storage"]["storageClass"] == "fast"
