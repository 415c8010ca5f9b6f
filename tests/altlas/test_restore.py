"""Output of `altlas backup restore`, and its refusals before it prints anything."""

from datetime import UTC, datetime
from typing import Any

import pytest

from altlas.backup.postgres_recovery import check_window, recovered_cluster
from altlas.backup.request import (
    RestoreRequest,
    archive_of,
    check_fetch,
    check_request,
    parse_moment,
    program_arguments,
)
from altlas.release.drift import drift
from components.settings import PlatformSettings
from rendering.errors import CommandError, ExitCode
from rendering.recorder import record
from tests.support.data_documents import backup_document, postgres_document
from tests.support.documents import alpha_settings, alpha_with

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MOMENT = datetime(2026, 5, 31, 12, 30, 15, tzinfo=UTC)
STORE = {"endpoint": "https://s3.example.com", "bucket": "alt-las-wal"}


def changes(**backup: Any) -> dict[str, Any]:
    """Three servers, and dumps that keep the write-ahead log where it is wanted."""
    return {"postgres": postgres_document(instances=3), "backup": backup_document(**backup)}


@pytest.fixture(scope="module")
def with_log() -> PlatformSettings:
    """Settings with a place for the write-ahead log."""
    return alpha_settings(changes(objectStore=STORE))


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """Objects that the program deploys with a place for the write-ahead log."""
    return record("alpha", alpha_with(changes(objectStore=STORE))).objects


def test_the_log_goes_to_the_object_store_and_base_backups_have_a_schedule(objects: list[dict[str, Any]]) -> None:
    """Without both there is nothing to recover from."""
    by_kind = {each["kind"]: each for each in objects}
    assert by_kind["ObjectStore"]["spec"]["configuration"]["destinationPath"] == "s3://alt-las-wal/alpha/wal"
    assert by_kind["ScheduledBackup"]["spec"]["schedule"] == "0 0 1 * * *"
    assert by_kind["ScheduledBackup"]["spec"]["immediate"] is True
    assert by_kind["Cluster"]["spec"]["plugins"] == [
        {
            "name": "barman-cloud.cloudnative-pg.io",
            "isWALArchiver": True,
            "parameters": {"barmanObjectName": "postgres-wal", "serverName": "postgres-1"},
        }
    ]


def test_the_copy_is_recovered_to_the_moment_and_leaves_the_live_one_alone(objects: list[dict[str, Any]]) -> None:
    """It reads the log and never writes it, and the address of the live one stays with the live one."""
    policy, cluster = recovered_cluster(objects, "yesterday", MOMENT, "postgres-1")
    spec = cluster["spec"]
    assert cluster["metadata"]["name"] == "yesterday"
    assert spec["bootstrap"] == {
        "recovery": {"source": "origin", "recoveryTarget": {"targetTime": "2026-05-31T12:30:15+00:00"}}
    }
    assert spec["externalClusters"][0]["plugin"]["parameters"]["serverName"] == "postgres-1"
    assert "plugins" not in spec
    assert "services" not in spec["managed"]
    assert "synchronous" not in spec["postgresql"]
    assert spec["instances"] == 1
    assert policy["spec"]["podSelector"] == {"matchLabels": {"cnpg.io/cluster": "yesterday"}}
    pods = {"app.kubernetes.io/name": "yesterday", "app.kubernetes.io/part-of": "alt-las"}
    assert spec["inheritedMetadata"]["labels"] == pods
    for made in (policy, cluster):
        assert made["metadata"]["labels"].items() >= (pods | {"app.kubernetes.io/managed-by": "altlas"}).items()
    assert drift((), [policy, cluster]) == (), "no orphan of an update"
    (live,) = (each for each in objects if each["kind"] == "Cluster")
    assert live["metadata"]["name"] == "postgres-db"
    assert live["spec"]["instances"] == 3


def test_the_live_cluster_is_never_overwritten(objects: list[dict[str, Any]]) -> None:
    """Not even on demand: a copy can be looked at, a loss cannot."""
    with pytest.raises(
        CommandError, match="--into postgres-db is the live Cluster, which is never overwritten"
    ) as error:
        recovered_cluster(objects, "postgres-db", MOMENT, "postgres-1")
    assert error.value.code == ExitCode.BAD_INPUT


def request(store: str = "postgres", **changes: Any) -> RestoreRequest:
    """A request that makes sense, and changes to it."""
    usual: dict[str, Any] = {"store": store, "stack": "alpha", "at": MOMENT, "into": "copy"}
    return RestoreRequest(**(usual | changes))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (request("mysql"), "'mysql' is not a store; known: postgres, redis, nats"),
        (
            request(at=None),
            "say what to restore, either --at TIME or --backup ID; `altlas backup list postgres alpha`",
        ),
        (request(backup="20260101T000000Z"), "say what to restore, either --at TIME or --backup ID"),
        (request(at=None, backup="last"), "--backup 'last' is not the id of a backup, such as 20260131T010000Z"),
        (request(into=None), "--into NAME is missing; with --replace live data is replaced instead"),
        (
            request(only=("archive",)),
            "--only archive is a part of a dump, but --at recovers the whole Cluster from its",
        ),
        (request(into="Copy_1"), "--into 'Copy_1' cannot name an object; use lower-case letters, digits and '-'"),
        (request(into="postgres-db"), "--into postgres-db is live, and a restore never overwrites live data"),
        (request("redis", into="redis"), "--into redis is live, and a restore never overwrites live data"),
        (request("nats", into="archive-service"), "--into archive-service is live"),
        (request(replace=True), "--into makes a copy and --replace changes live data; choose one of them"),
        (
            request(replace=True, into=None),
            "--replace changes live data of the stack alpha: confirm it with --confirm alpha; it was not typed",
        ),
        (
            request(replace=True, into=None, confirmed="beta"),
            "--replace changes live data of the stack alpha: confirm it with --confirm alpha; 'beta' was typed",
        ),
        (
            request(at=None, backup="20260101T000000Z"),
            "--into copy is one database; choose which one becomes it with --only archive|segmentation",
        ),
        (
            request(at=None, backup="20260101T000000Z", into="a-copy"),
            "--into 'a-copy' cannot name a database; use lower-case letters, digits and '_'",
        ),
        (request(at=None, backup="20260101T000000Z", into="archive"), "--into archive is live"),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    with_log: PlatformSettings, wrong: RestoreRequest, message: str
) -> None:
    """With what would be right, before the cluster is asked."""
    with pytest.raises(CommandError) as error:
        check_request(wrong, with_log)
    assert str(error.value).startswith(message)
    assert str(error.value).endswith("Nothing was changed")
    assert error.value.code == ExitCode.BAD_INPUT


@pytest.mark.parametrize(
    ("right", "arguments"),
    [
        (
            request(at=None, backup="20260101T000000Z", only=("archive",)),
            ("--backup", "20260101T000000Z", "--only", "archive", "--into", "copy"),
        ),
        (request("redis"), ("--at", "2026-05-31T12:30:15+00:00", "--into", "copy")),
        (
            request("nats", into=None, replace=True, confirmed="alpha"),
            ("--at", "2026-05-31T12:30:15+00:00", "--replace"),
        ),
    ],
)
def test_the_program_in_the_job_is_told_what_was_asked_for(
    with_log: PlatformSettings, right: RestoreRequest, arguments: tuple[str, ...]
) -> None:
    """And never to replace anything unless it was confirmed."""
    check_request(right, with_log)
    assert program_arguments(right) == arguments


def test_a_backup_is_fetched_from_a_bucket_by_its_id_or_the_newest(with_log: PlatformSettings) -> None:
    """Holds where there is a bucket; the pods of the dumps reach it and have its keys."""
    assert check_fetch("redis", None, "alpha", with_log) == ((), {})
    assert check_fetch("redis", "20260101T000000Z", "alpha", with_log) == (("--backup", "20260101T000000Z"), {})
    refused = {
        ("mysql", None): "'mysql' is not a store; known: postgres, redis, nats",
        ("redis", "last"): "--backup 'last' is not the id of a backup, such as 20260131T010000Z",
    }
    for (store, backup), message in refused.items():
        with pytest.raises(CommandError, match=message) as error:
            check_fetch(store, backup, "alpha", with_log)
        assert error.value.code == ExitCode.BAD_INPUT
    with pytest.raises(CommandError, match=r"^alt-las:platform\.backup\.objectStore is not set, so there is no bucket"):
        check_fetch("redis", None, "alpha", alpha_settings(changes()))


def test_a_store_that_the_stack_does_not_run_or_dump_cannot_be_restored() -> None:
    """The setting is named."""
    for missing in ("redis", "backup"):
        with pytest.raises(CommandError, match=rf"^alt-las:platform\.{missing} is not set, so there is nothing to"):
            check_request(request("redis"), alpha_settings(changes() | {missing: None}))


def test_a_moment_needs_the_log_and_takes_the_newest_dump_before_it_where_there_is_none(
    with_log: PlatformSettings,
) -> None:
    """Only PostgreSQL has a log, and it never leads over live data."""
    without = alpha_settings(changes())
    assert request().uses_the_log(with_log)
    assert not request().uses_the_log(without)
    assert not request("redis").uses_the_log(with_log)
    assert not request(replace=True, into=None).uses_the_log(with_log)
    check_request(request(only=("archive",)), without)


def test_a_moment_before_the_log_begins_is_refused_with_the_first_one() -> None:
    """And any moment while no base backup has ended, from which a recovery could start."""
    window = {"firstRecoverabilityPoint": "2026-05-31T12:30:16Z"}
    store = {"status": {"serverRecoveryWindow": {"postgres-1": window}}}
    with pytest.raises(CommandError, match="begins at 2026-05-31T12:30:16Z; name a later time") as error:
        check_window(store, "postgres-1", MOMENT)
    assert error.value.code == ExitCode.BAD_INPUT
    window["firstRecoverabilityPoint"] = "2026-05-31T12:30:15Z"
    check_window(store, "postgres-1", MOMENT)
    without: list[dict[str, Any]] = [{"status": {"serverRecoveryWindow": {"postgres-2": {}}}}, {}, store]
    for empty in without:
        with pytest.raises(CommandError, match="postgres-2 has no recovery window, so no base backup") as error:
            check_window(empty, "postgres-2", MOMENT)
        assert error.value.code == ExitCode.BAD_INPUT


def test_an_earlier_life_of_a_stack_is_restored_by_its_number() -> None:
    """Its log from its own archive, its dumps from their own folder; a life that never was is refused."""
    platform = alpha_settings(changes(objectStore=STORE | {"generation": 3, "path": "team/alpha"}))
    earlier = request(generation=2)
    check_request(earlier, platform)
    assert archive_of(earlier, platform) == "postgres-2"
    assert archive_of(request(), platform) == "postgres-3"
    assert check_fetch("nats", None, "alpha", platform, 1) == ((), {"S3_PREFIX": "team/alpha/dumps/1"})
    for wrong in (0, 4):
        with pytest.raises(CommandError, match=f"--generation {wrong} is no life of the stack; .* name one of 1 to 3"):
            check_request(request(generation=wrong), platform)
        with pytest.raises(CommandError, match=f"--generation {wrong} is no life of the stack"):
            check_fetch("nats", None, "alpha", platform, wrong)
    with pytest.raises(CommandError, match="altlas backup fetch redis alpha --generation N` and restore it"):
        check_request(request("redis", generation=1), platform)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yesterday", "is not a time with its zone"),
        ("2026-05-31T12:00:00", "is not a time with its zone"),
        ("2026-06-01T00:00:01+00:00", "lies in the future"),
    ],
)
def test_a_moment_must_be_exact_and_past(text: str, message: str) -> None:
    """Without a zone it would mean another moment on another machine."""
    with pytest.raises(CommandError, match=message):
        parse_moment(text, NOW)


def test_a_moment_is_understood_in_any_zone() -> None:
    """The operator gets it in UTC."""
    assert parse_moment("2026-05-31T15:30:15+03:00", NOW) == MOMENT
