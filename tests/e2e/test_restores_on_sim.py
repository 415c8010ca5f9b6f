"""Restores on a real API server: the objects that are made, what is refused, who keeps whom away, and what stays.

The pods of the simulated cluster run nothing. What the program in them does is proven with real servers in tests/data.
"""

import json
import re
from secrets import token_hex
from typing import Any

import pytest
import yaml

from components.settings.secrets import OBJECT_STORE_CREDENTIALS
from components.stack.problems import PLATFORM_KEY
from tests.e2e.conftest import Project
from tests.e2e.data_objects import identities, pods_of_stores
from tests.e2e.secret_places import hits, objects_in_the_open, secret_values
from tests.support.deployed import project_with

pytestmark = pytest.mark.e2e
BACKUP = "20260101T010000Z"


project = project_with("small")


@pytest.fixture(scope="module")
def before(project: Project) -> dict[str, str]:
    """UID of everything that holds live data."""
    return {**identities(project), **pods_of_stores(project)}


def live(project: Project, names: dict[str, str]) -> dict[str, str | None]:
    """The same objects now."""
    found = {**identities(project), **pods_of_stores(project)}
    return {name: found.get(name) for name in names}


def asked_for(project: Project) -> set[str]:
    """UID of every Job that no CronJob has made."""
    return {
        each["metadata"]["uid"]
        for each in project.objects("jobs", "alt-las")
        if "ownerReferences" not in each["metadata"]
    }


def job(project: Project, name: str) -> dict[str, Any]:
    """A Job as the API server has it."""
    (found,) = (each for each in project.objects("jobs", "alt-las") if each["metadata"]["name"] == name)
    return found


def test_a_database_is_restored_beside_the_live_one_by_a_job_with_rights_of_its_own(
    project: Project, before: dict[str, str]
) -> None:
    """The pod is admitted; the role of restores and its password reach it and no CronJob."""
    done = project.altlas(
        "backup", "restore", "postgres", "--backup", BACKUP, "--only", "archive", "--into", "archive_look"
    )
    assert done.code == 0, done.text
    assert "what the Job would do is not proven here" in done.error
    made = job(project, "postgres-restore-now")
    assert made["status"]["succeeded"] == 1
    (container,) = made["spec"]["template"]["spec"]["containers"]
    command = ["restore", "postgres", "--backup", BACKUP, "--only", "archive", "--into", "archive_look"]
    assert container["command"][-len(command) :] == command
    variables = {each["name"]: each for each in container["env"]}
    assert variables["PGUSER"]["value"] == "restore"
    (mounted,) = (v["secret"] for v in made["spec"]["template"]["spec"]["volumes"] if "secret" in v)
    assert {"key": "PG_RESTORE_PASSWORD", "path": "PGPASSWORD"} in mounted["items"]
    (secret,) = (s for s in project.objects("secrets", "alt-las") if s["metadata"]["name"] == mounted["secretName"])
    assert "PG_RESTORE_PASSWORD" in secret["data"]
    assert "PG_RESTORE_PASSWORD" not in json.dumps(project.objects("cronjobs", "alt-las"))
    assert live(project, before) == before


@pytest.mark.parametrize(
    ("store", "copies"), [("redis", {"data-redis-look-0"}), ("nats", {"data-nats-look-0"})], ids=["redis", "nats"]
)
def test_redis_and_nats_are_restored_into_a_server_that_is_made_for_it(
    project: Project, before: dict[str, str], store: str, copies: set[str]
) -> None:
    """It runs on a volume of its own, and no live address leads to it; a second one of its name is refused."""
    into = f"{store}-look"
    done = project.altlas("backup", "restore", store, "--backup", BACKUP, "--into", into)
    assert done.code == 0, done.text
    made = job(project, f"{store}-restore-now")
    assert made["status"]["succeeded"] == 1
    assert made["spec"]["suspend"] is False
    claims = {c["metadata"]["name"]: c["status"]["phase"] for c in project.objects("pvc", "alt-las")}
    assert {name: claims.get(name) for name in copies} == dict.fromkeys(copies, "Bound")
    address = json.loads(project.kubectl("get", "endpoints", store, "--namespace", "alt-las", "--output", "json").out)
    behind = [each["targetRef"]["name"] for subset in address["subsets"] for each in subset["addresses"]]
    assert behind == [f"{store}-0"]
    assert live(project, before) == before
    uid = made["metadata"]["uid"]
    done = project.altlas("backup", "restore", store, "--backup", BACKUP, "--into", into)
    assert done.code == 2, done.text
    assert f"--into {into} exists already: statefulset.apps/{into}" in done.error
    assert job(project, f"{store}-restore-now")["metadata"]["uid"] == uid, "nothing was begun"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mysql", "--backup", BACKUP, "--into", "copy"), "'mysql' is not a store; known: postgres, redis, nats"),
        (("redis", "--backup", "newest", "--into", "copy"), "--backup 'newest' is not the id of a backup"),
        (("redis", "--at", "2026-01-01", "--into", "copy"), "is not a time with its zone"),
        (("redis", "--at", "2099-01-01T00:00:00Z", "--into", "copy"), "lies in the future"),
        (("redis", "--backup", BACKUP, "--into", "redis"), "--into redis is live"),
        (("redis", "--backup", BACKUP, "--replace"), "confirm it with --confirm alpha; it was not typed"),
        (("redis", "--backup", BACKUP, "--replace", "--confirm", "beta"), "'beta' was typed"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_made(
    project: Project, before: dict[str, str], arguments: tuple[str, ...], message: str
) -> None:
    """Exit code 2, one message without a traceback, no Job."""
    jobs = asked_for(project)
    done = project.altlas("backup", "restore", *arguments)
    assert done.code == 2, done.text
    assert message in done.error
    assert "Nothing was changed" in done.error
    assert "Traceback" not in done.error
    assert asked_for(project) == jobs
    assert live(project, before) == before


def test_live_data_is_replaced_only_with_the_stack_s_name_typed(project: Project, before: dict[str, str]) -> None:
    """And by the program in the Job, which puts aside what was there; no object is replaced."""
    done = project.altlas("backup", "restore", "redis", "--backup", BACKUP, "--replace", "--confirm", "alpha")
    assert done.code == 0, done.text
    (container,) = job(project, "redis-restore-now")["spec"]["template"]["spec"]["containers"]
    assert container["command"][-5:] == ["restore", "redis", "--backup", BACKUP, "--replace"]
    assert live(project, before) == before


def test_a_second_restore_is_refused_while_one_is_running(project: Project, before: dict[str, str]) -> None:
    """The first is held here before it begins; it stays as it is, and so does live data."""
    first = job(project, "redis-restore-now")
    manifest = {key: first[key] for key in ("apiVersion", "kind")}
    metadata = {key: first["metadata"][key] for key in ("name", "namespace")}
    labels = first["spec"]["template"]["metadata"]["labels"]
    own = {key: value for key, value in labels.items() if key.startswith("app.kubernetes.io/")}
    template = first["spec"]["template"] | {"metadata": {"labels": own}}
    held = manifest | {"metadata": metadata, "spec": {"suspend": True, "template": template}}
    path = project.root / "held.json"
    path.write_text(json.dumps(held))
    assert project.kubectl("delete", "job", "redis-restore-now", "--namespace", "alt-las").code == 0
    done = project.kubectl("create", "--filename", str(path))
    assert done.code == 0, done.text
    uid = job(project, "redis-restore-now")["metadata"]["uid"]
    done = project.altlas("backup", "restore", "redis", "--backup", BACKUP, "--into", "redis-other")
    assert done.code == 5, done.text
    assert "another restore of redis is running: the Job redis-restore-now in alt-las" in done.error
    assert job(project, "redis-restore-now")["metadata"]["uid"] == uid
    assert "redis-other" not in {each["metadata"]["name"] for each in project.objects("statefulsets", "alt-las")}
    assert live(project, before) == before


def test_backups_are_listed_and_a_drill_is_begun_by_jobs(project: Project, before: dict[str, str]) -> None:
    """Of the CronJobs as they are deployed."""
    for command, name in (("list", "nats-list-now"), ("drill", "nats-drill-now")):
        done = project.altlas("backup", command, "nats")
        assert done.code == 0, done.text
        assert job(project, name)["status"]["succeeded"] == 1
    assert live(project, before) == before


def test_the_next_update_knows_nothing_of_the_copies_and_leaves_them(project: Project, before: dict[str, str]) -> None:
    """They belong to the person who started them."""
    done = project.pulumi("preview", "--stack", "alpha", "--expect-no-changes")
    assert done.code == 0, done.text
    sets = {each["metadata"]["name"] for each in project.objects("statefulsets", "alt-las")}
    assert {"redis-look", "nats-look"} <= sets
    assert live(project, before) == before


def test_no_secret_stands_in_what_a_restore_makes(project: Project) -> None:
    """Jobs, copies and their pods name Secrets only; the control run finds a planted value."""
    values, places = secret_values(project), objects_in_the_open(project)
    assert any("redis-restore-now" in name for name, _ in places)
    assert hits(values, places) == []
    assert hits(values, [*places, ("planted", values[0].encode())]) == ["planted"]


def test_a_moment_makes_a_second_cluster_that_the_operator_s_own_definition_accepts(
    project: Project, before: dict[str, str]
) -> None:
    """Not before the log begins, not twice under one name, and never in the place of the live one."""
    document = yaml.safe_load(project.stack_file("alpha").read_text())
    bucket = {"endpoint": "https://s3.example.com", "bucket": "alt-las-wal"}
    document["config"][PLATFORM_KEY]["backup"]["objectStore"] = bucket
    project.stack_file("alpha").write_text(yaml.safe_dump(document))
    for key in OBJECT_STORE_CREDENTIALS:
        assert project.pulumi("config", "set", "--stack", "alpha", "--secret", f"alt-las:{key}", token_hex()).code == 0
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 2, done.text
    assert "objectstores.barmancloud.cnpg.io; install the Barman Cloud plugin" in done.error

    assert project.altlas("addons", "install", "--with", "barman-cloud").code == 0
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 0, done.text
    (operator,) = (d for d in project.objects("deployments", "cnpg-system") if d["metadata"]["name"] == "barman-cloud")
    assert operator["status"]["readyReplicas"] == 1
    at = ("--at", "2026-01-31T12:30:00Z", "--into", "postgres-look")
    done = project.altlas("backup", "restore", "postgres", *at)
    assert done.code == 2, done.text
    assert "the archive postgres-1 has no recovery window" in done.error
    # Its plugin would note it; here nobody does.
    window = {"postgres-1": {"firstRecoverabilityPoint": "2026-01-31T12:00:00Z"}}
    patch = json.dumps({"status": {"serverRecoveryWindow": window}})
    store = ("objectstores.barmancloud.cnpg.io", "postgres-wal", "--namespace", "alt-las")
    done = project.kubectl("patch", *store, "--subresource=status", "--type=merge", "--patch", patch)
    assert done.code == 0, done.text

    done = project.altlas("backup", "restore", "postgres", "--at", "2026-01-31T11:59:59Z", "--into", "postgres-look")
    assert done.code == 2, done.text
    assert "lies before the recovery window, which begins at 2026-01-31T12:00:00Z" in done.error
    done = project.altlas("backup", "restore", "postgres", "--at", "2026-01-31T12:30:00Z", "--into", "postgres-look")
    assert done.code == 0, done.text
    clusters = {c["metadata"]["name"]: c for c in project.objects("clusters.postgresql.cnpg.io", "alt-las")}
    assert clusters.keys() == {"postgres-db", "postgres-look"}
    recovery = clusters["postgres-look"]["spec"]["bootstrap"]["recovery"]
    assert recovery["recoveryTarget"]["targetTime"] == "2026-01-31T12:30:00+00:00"
    done = project.altlas("backup", "restore", "postgres", "--at", "2026-01-31T12:30:00Z", "--into", "postgres-look")
    assert done.code == 2, done.text
    assert "cluster.postgresql.cnpg.io/postgres-look" in done.error
    (removal,) = re.findall("an earlier copy: `kubectl ([^`]+)`", done.error)
    assert project.kubectl(*removal.split()).code == 0
    left = {c["metadata"]["name"] for c in project.objects("clusters.postgresql.cnpg.io", "alt-las")}
    policies = {c["metadata"]["name"] for c in project.objects("networkpolicies", "alt-las")}
    assert (left, "postgres-look" in policies, "postgres-db" in policies) == ({"postgres-db"}, False, True)
    done = project.altlas("backup", "restore", "postgres", "--at", "2026-01-31T12:30:00Z", "--into", "postgres-db")
    assert done.code == 2, done.text
    assert live(project, before) == before
