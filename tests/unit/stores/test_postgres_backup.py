"""The schedule of the dumps and what their pods may do."""

from typing import Any

import pytest

from rendering.recorder import record
from tests.support.data_documents import backup_document, postgres_document
from tests.support.documents import alpha_with
from tests.support.program import find


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """Alpha with PostgreSQL and its dumps."""
    changes = {"postgres": postgres_document(), "backup": backup_document(timeZone="Europe/Istanbul")}
    return record("alpha", alpha_with(changes)).objects


@pytest.fixture(scope="module")
def schedule(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Spec of the CronJob."""
    spec: dict[str, Any] = find(objects, "CronJob", "postgres-backup")["spec"]
    return spec


def test_one_dump_at_a_time_with_an_end_and_a_history(schedule: dict[str, Any]) -> None:
    """A hanging dump ends, a failed one stays to be looked at, and old Jobs go."""
    assert {key: schedule[key] for key in schedule if key != "jobTemplate"} == {
        "schedule": "0 1 * * *",
        "timeZone": "Europe/Istanbul",
        "startingDeadlineSeconds": 600,
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
    }
    job = schedule["jobTemplate"]["spec"]
    assert (job["activeDeadlineSeconds"], job["backoffLimit"], job["ttlSecondsAfterFinished"]) == (3600, 2, 604800)


def test_each_dump_is_restored_and_compared_before_old_ones_go(schedule: dict[str, Any]) -> None:
    """Every database of the stack, by name."""
    (container,) = schedule["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == [
        *("python", "-m", "backup", "--root", "/backups", "dump", "postgres", "--drill", "--keep", "3", "--days", "7"),
        *("--only", "segmentation", "--only", "archive"),
    ]


def test_the_password_and_the_key_come_from_a_secret(schedule: dict[str, Any]) -> None:
    """Neither stands in the command or in plain sight."""
    (container,) = schedule["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    environment = {entry["name"]: entry for entry in container["env"]}
    volumes = {each["name"]: each for each in schedule["jobTemplate"]["spec"]["template"]["spec"]["volumes"]}
    files = [each["path"] for each in volumes["passwords"]["secret"]["items"]]
    assert files == ["PGPASSWORD", "BACKUP_KEY"]
    plain = {name: entry["value"] for name, entry in environment.items() if "value" in entry}
    assert plain == {
        "PGHOST": "postgres-db",
        "PGPORT": "5432",
        "PGUSER": "backup",
        "PGDATABASE": "platform",
        "PGSSLMODE": "require",
        "BACKUP_REPORT": "/dev/termination-log",
        "PASSWORDS_DIR": "/etc/passwords",
    }


def test_the_dumps_reach_the_servers_and_nothing_else(objects: list[dict[str, Any]]) -> None:
    """No way in, one way out, and names."""
    spec = find(objects, "NetworkPolicy", "postgres-backup")["spec"]
    assert spec["ingress"] == []
    servers, names = spec["egress"]
    assert servers == {
        "to": [{"podSelector": {"matchLabels": {"cnpg.io/cluster": "postgres-db"}}}],
        "ports": [{"protocol": "TCP", "port": 5432}],
    }
    assert {port["port"] for port in names["ports"]} == {53}


def test_the_dumps_lie_on_a_volume_of_their_own(objects: list[dict[str, Any]], schedule: dict[str, Any]) -> None:
    """Not on one that goes with the servers."""
    claim = find(objects, "PersistentVolumeClaim", "postgres-backup-dumps")["spec"]
    assert claim == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    volumes = {each["name"]: each for each in schedule["jobTemplate"]["spec"]["template"]["spec"]["volumes"]}
    assert volumes["backups"]["persistentVolumeClaim"] == {"claimName": "postgres-backup-dumps"}
    assert volumes["scratch"]["emptyDir"] == {"sizeLimit": "5Gi"}
