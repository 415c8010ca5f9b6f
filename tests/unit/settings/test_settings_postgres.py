"""Refusals by PostgreSQL's settings, and their words."""

from typing import Any

import pytest

from components.settings.postgres import major_version
from tests.support.data_documents import backup_document, postgres_document, postgres_platform, with_postgres
from tests.support.documents import alpha_with, only_problem

PARAMETERS, RESOURCES = (postgres_document()[key] for key in ("parameters", "resources"))


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"instances": 2}, "postgres.instances", "is 2; use 1 or 3: an even number of servers"),
        ({"storageSize": "ten"}, "postgres.storageSize", "is not a memory quantity"),
        (
            {"image": {"repository": "ghcr.io/cloudnative-pg/postgresql", "tag": "14.2"}},
            "postgres",
            "image.tag '14.2' does not begin with a supported version; use PostgreSQL 17 or 18",
        ),
        (
            {"parameters": PARAMETERS | {"sharedBuffersMebibytes": 512}},
            "postgres",
            "parameters let the server use 1104Mi, but resources.limits.memory is 1Gi",
        ),
        (
            {"parameters": PARAMETERS | {"maxConnections": 79}},
            "",
            "postgres.parameters.maxConnections (79) is below the 80 that the services may open at their largest scale "
            "(segmentation-service 30, archive-service 30, reserve 20)",
        ),
        (
            {"databases": {"archive-service": {"name": "segmentation"}}},
            "postgres.databases",
            "both services have the database 'segmentation'",
        ),
        (
            {"databases": {"archive-service": {"name": "template1"}}},
            "postgres.databases.archive-service.name",
            "is not a free database name",
        ),
        (
            {"databases": {"archive-service": {"name": "restore"}}},
            "postgres.databases.archive-service.name",
            "is not a free database name; use at most 61 lower-case letters",
        ),
        (
            {"databases": {"archive-service": {"name": "a" * 62}}},
            "postgres.databases.archive-service.name",
            "is not a free database name; use at most 61 lower-case letters",
        ),
        (
            {"databases": {"archive-service": {"name": "segmentation_2"}}},
            "postgres.databases",
            "the name 'segmentation_2' is that of the second role of 'segmentation'",
        ),
        (
            {"resources": RESOURCES | {"ephemeralStorage": {"limit": "1Gi"}}},
            "postgres",
            "resources.ephemeralStorage has no effect here, for the pods are the operator's; leave it out",
        ),
    ],
)
def test_settings_that_lose_data_or_cannot_run_are_refused(changes: dict[str, Any], path: str, message: str) -> None:
    """Each names its path, what is wrong and what would be right."""
    found_path, found = only_problem(with_postgres(**changes))
    assert found_path == path
    assert message in found


def test_the_largest_scale_fits_exactly() -> None:
    """Five pods and one of a rollout, five connections each, two services, and the reserve."""
    platform = postgres_platform(parameters=PARAMETERS | {"maxConnections": 80})
    assert platform.postgres is not None
    assert platform.postgres.parameters.max_connections == 80


@pytest.mark.parametrize(("tag", "major"), [("18.4-system-trixie", 18), ("17", 17), ("beta.17", 0), ("178x", 0)])
def test_the_major_version_is_read_from_the_tag(tag: str, major: int) -> None:
    """A tag that begins with no number has no version."""
    assert major_version(tag) == major


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        (
            {"nats": {"schedule": "0 1 * * 0"}},
            "backup",
            "nats.schedule '0 1 * * 0' and deadlineSeconds can leave 7 days, 1:00:00 without a dump, "
            "but recoveryPointHours is 25",
        ),
        ({"postgres": {"schedule": "daily"}}, "backup.postgres.schedule", "is not a schedule of five fields"),
        ({"redis": {"schedule": "0 25 * * *"}}, "backup.redis.schedule", "is not a schedule"),
        ({"nats": {"drillSchedule": "0 1 30 2 *"}}, "backup.nats.drillSchedule", "runs less than twice in nine weeks"),
        ({"timeZone": "Mars/Base"}, "backup.timeZone", "'Mars/Base' is not a time zone"),
        (
            {"image": {"repository": "alt-las/backup", "tag": "17.2-1"}},
            "",
            "backup.image.tag '17.2-1' does not begin with the server's version 18",
        ),
        ({"objectStore": {"endpoint": "http://s3", "bucket": "dumps"}}, "backup.objectStore.endpoint", "https"),
        (
            {"objectStore": {"endpoint": "https://s3", "bucket": "dumps", "path": "up/../again"}},
            "backup.objectStore.path",
            "write one such as teams/platform",
        ),
        (
            {"objectStore": {"endpoint": "https://s3", "bucket": "dumps", "endpointCa": "not PEM"}},
            "backup.objectStore.endpointCa",
            "is not a certificate in PEM",
        ),
        (
            {"resources": {"requests": {"cpu": "1", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "383Mi"}}},
            "",
            "backup.redis.resources.limits.memory (383Mi) is below 384Mi: redis.maxMemory (256Mi)",
        ),
    ],
)
def test_backups_that_cannot_keep_their_word_are_refused(changes: dict[str, Any], path: str, message: str) -> None:
    """A schedule that is too thin for its recovery point, clients of another version, and what cannot be read."""
    document = alpha_with({"postgres": postgres_document(), "backup": backup_document(**changes)})
    found_path, found = only_problem(document)
    assert found_path == path
    assert message in found
