"""Data that a role which may read everything does not see by itself: rows behind policies, and large objects."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backup import postgres
from backup.errors import BackupError
from backup.repository import Repository
from backup.scratch import scratch_server
from tests.data.backup_command import KEY
from tests.support.postgres_servers import Postgres, own, restored, running, unprivileged

pytestmark = pytest.mark.data

GRANT = "ALTER DEFAULT PRIVILEGES GRANT SELECT ON LARGE OBJECTS TO backup"
FILL = """
CREATE TABLE notes (id int PRIMARY KEY, author text NOT NULL);
INSERT INTO notes SELECT n, CASE WHEN n % 4 = 0 THEN 'archive' ELSE 'others' END FROM generate_series(1, 400) n;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON notes USING (author = current_user);
"""
OBJECTS = "SELECT lo_create(0); SELECT lo_from_bytea(0, decode(repeat('7f', 100000), 'hex')) FROM generate_series(1, 2)"


@pytest.fixture(scope="module")
def server(folder: Path, postgres_clients: None) -> Iterator[Postgres]:  # noqa: ARG001  # fixture
    """A server on which archive's role hides rows even from itself, and keeps large objects."""
    with running(folder / "server") as found:
        found.server("archive").query("archive", f"{FILL}; {GRANT}; {OBJECTS}")
        assert found.server("archive").query("archive", "SELECT count(*) FROM notes") == "100"
        yield found


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty folder for backups."""
    return Repository(tmp_path, "postgres")


def dump(server: Postgres, repository: Repository, database: str = "archive") -> str:
    """A dump by the role of the backups."""
    return postgres.dump(server.server("backup"), [database], repository, KEY)


def test_hidden_rows_and_large_objects_are_dumped_drilled_and_restored(
    server: Postgres, folder: Path, repository: Repository
) -> None:
    """By the roles of backups and restores, which are no superusers; and the restored database can be dumped again."""
    before = server.admin.content("archive")
    assert before["tables"]["public.notes"]["rows"] == 400
    assert before["large objects"]["all"]["rows"] == 3
    backup = repository.backup(dump(server, repository))
    assert backup.manifest["files"][0]["content"] == before
    home = folder / "scratch"
    home.mkdir()
    own(home).chmod(0o700)
    with scratch_server(["archive"], folder=home, process=unprivileged()) as scratch:
        (drilled,) = postgres.drill(scratch, backup, KEY)
    done = restored(server.server("restore"), repository, backup, "archive", into="archive", key=KEY, replace=True)
    assert drilled.items == done.items == 400
    assert server.admin.content("archive") == before
    # What the service makes later is readable for the backups, too.
    server.server("archive").query("archive", "SELECT lo_create(0)")
    again = repository.backup(dump(server, repository))
    assert again.manifest["files"][0]["content"]["large objects"]["all"]["rows"] == 4


def test_a_large_object_that_only_its_owner_reads_fails_the_dump_with_the_cure(
    server: Postgres, repository: Repository
) -> None:
    """It is not left out in silence; the cure holds for those that are made after it."""
    role = server.server("segmentation")
    made = role.query("segmentation", "SELECT lo_create(0)")
    with pytest.raises(BackupError, match=f"permission denied for large object .*: {GRANT}$"):
        dump(server, repository, "segmentation")
    role.query("segmentation", f"SELECT lo_unlink({made}); {GRANT}; SELECT lo_create(0)")
    found = repository.backup(dump(server, repository, "segmentation")).manifest["files"][0]["content"]
    assert found["large objects"]["all"]["rows"] == 1


def test_the_role_of_the_backups_still_changes_nothing(server: Postgres) -> None:
    """Neither rows that it sees past the policy, nor large objects that it was granted."""
    reader = server.server("backup")
    for statement in ("DELETE FROM notes", "SELECT lo_unlink(oid) FROM pg_largeobject_metadata"):
        with pytest.raises(BackupError, match=r"permission denied|must be owner"):
            reader.query("archive", statement)


def test_a_role_that_rows_are_hidden_from_fails_the_dump(server: Postgres, repository: Repository) -> None:
    """The control: without the right to read past policies nothing is dumped, and not a part of it."""
    server.admin.query("postgres", "ALTER ROLE backup NOBYPASSRLS")
    try:
        with pytest.raises(BackupError, match="row-level security"):
            dump(server, repository)
    finally:
        server.admin.query("postgres", "ALTER ROLE backup BYPASSRLS")
    assert repository.backups() == ()
