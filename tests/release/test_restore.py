"""What `altlas restore` prints, and what it refuses before it prints anything."""

from datetime import UTC, datetime
from typing import Any

import pytest

from components.settings import PlatformSettings
from release.errors import CommandError, ExitCode
from release.program import record
from release.restore import check_request, parse_moment, recovered_cluster
from tests.stacks.documents import alpha_settings, alpha_with
from tests.unit.data_documents import backup_document, postgres_document

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
    """What the program deploys with a place for the write-ahead log."""
    return record("alpha", alpha_with(changes(objectStore=STORE))).objects


def test_the_log_goes_to_the_object_store_and_base_backups_have_a_schedule(objects: list[dict[str, Any]]) -> None:
    """Without both there is nothing to recover from."""
    by_kind = {each["kind"]: each for each in objects}
    assert by_kind["ObjectStore"]["spec"]["configuration"]["destinationPath"] == "s3://alt-las-wal/postgres"
    assert by_kind["ScheduledBackup"]["spec"]["schedule"] == "0 0 1 * * *"
    assert by_kind["Cluster"]["spec"]["plugins"] == [
        {
            "name": "barman-cloud.cloudnative-pg.io",
            "isWALArchiver": True,
            "parameters": {"barmanObjectName": "postgres-wal", "serverName": "postgres-db"},
        }
    ]


def test_the_copy_is_recovered_to_the_moment_and_leaves_the_live_one_alone(objects: list[dict[str, Any]]) -> None:
    """It reads the log and never writes it, and the address of the live one stays with the live one."""
    policy, cluster = recovered_cluster(objects, "yesterday", MOMENT)
    spec = cluster["spec"]
    assert cluster["metadata"]["name"] == "yesterday"
    assert spec["bootstrap"] == {
        "recovery": {"source": "origin", "recoveryTarget": {"targetTime": "2026-05-31T12:30:15+00:00"}}
    }
    assert spec["externalClusters"][0]["plugin"]["parameters"]["serverName"] == "postgres-db"
    assert "plugins" not in spec
    assert "services" not in spec["managed"]
    assert "synchronous" not in spec["postgresql"]
    assert spec["instances"] == 1
    assert policy["spec"]["podSelector"] == {"matchLabels": {"cnpg.io/cluster": "yesterday"}}
    (live,) = (each for each in objects if each["kind"] == "Cluster")
    assert live["metadata"]["name"] == "postgres-db"
    assert live["spec"]["instances"] == 3


def test_the_live_cluster_is_never_overwritten(objects: list[dict[str, Any]]) -> None:
    """Not even on demand: a copy can be looked at, a loss cannot."""
    with pytest.raises(
        CommandError, match="--into postgres-db is the live Cluster, which is never overwritten"
    ) as error:
        recovered_cluster(objects, "postgres-db", MOMENT)
    assert error.value.code == ExitCode.BAD_INPUT


@pytest.mark.parametrize(
    ("store", "into", "message"),
    [
        ("mysql", "copy", "'mysql' is not a store; known: postgres, redis, nats"),
        ("redis", "copy", "redis cannot be recovered to a moment, only postgres can"),
        ("postgres", "Copy_1", "--into 'Copy_1' cannot name a Cluster"),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    with_log: PlatformSettings, store: str, into: str, message: str
) -> None:
    """With what would be right."""
    with pytest.raises(CommandError) as error:
        check_request(store, into, with_log)
    assert str(error.value).startswith(message)
    assert error.value.code == ExitCode.BAD_INPUT


def test_without_a_log_there_is_nothing_to_recover_from(with_log: PlatformSettings) -> None:
    """The setting is named, and the other way back."""
    check_request("postgres", "copy", with_log)
    with pytest.raises(CommandError, match=r"alt-las:platform\.backup\.objectStore is not set"):
        check_request("postgres", "copy", alpha_settings(changes()))


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
