"""Dumps and restores of a real PostgreSQL with the roles and rules that the program gives it."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backup import metrics, postgres, sealing
from backup.encryption import derive_key
from backup.errors import BackupError
from backup.postgres_server import Content
from backup.repository import Backup, Repository
from backup.scratch import scratch_server
from tests.support.figures import Figures
from tests.support.postgres_servers import Postgres, own, restored, running, unprivileged

pytestmark = pytest.mark.data
SECRET = "k" * 43
KEY = derive_key(SECRET)
ROOT = Path(__file__).resolve().parents[2]

FILL = """
CREATE TABLE tasks (id bigserial PRIMARY KEY, name text NOT NULL, body jsonb, made timestamptz, price numeric,
raw bytea);
INSERT INTO tasks (name, body, made, price, raw)
SELECT 'task ' || n || ' ğüşöç', json_build_object('n', n, 'odd', n % 2 = 1), now() - n * interval '1 minute',
n / 7.0, decode(md5(n::text), 'hex') FROM generate_series(1, 20000) n;
CREATE TABLE parts (task bigint REFERENCES tasks, part int, note text, PRIMARY KEY (task, part));
INSERT INTO parts SELECT id, 1, CASE WHEN id % 3 = 0 THEN NULL ELSE repeat('x', (id % 200)::int) END FROM tasks;
CREATE INDEX ON parts (note);
CREATE VIEW names AS SELECT name FROM tasks;
"""


@pytest.fixture(scope="module")
def server(folder: Path, postgres_clients: None) -> Iterator[Postgres]:  # noqa: ARG001  # fixture
    """A server whose archive database is filled by its own role."""
    with running(folder / "server") as found:
        found.server("archive").query("archive", FILL)
        yield found


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty folder for backups."""
    return Repository(tmp_path, "postgres")


@pytest.fixture
def backup(server: Postgres, repository: Repository) -> Backup:
    """A dump of both databases by the role of the dumps."""
    return repository.backup(postgres.dump(server.server("backup"), ["archive", "segmentation"], repository, KEY))


def live(server: Postgres) -> Content:
    """Contents of the live database."""
    return server.admin.content("archive")


def command(server: Postgres, root: Path, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run the command of the backup image against the server."""
    connection = {"PGHOST": str(server.folder), "PGPORT": str(server.port), "PGUSER": "postgres", "BACKUP_KEY": SECRET}
    connection |= {"BACKUP_REPORT": str(root / "report")}
    return subprocess.run(
        [sys.executable, "-m", "backup", "--root", str(root), *arguments],
        cwd=ROOT,
        env=os.environ | connection,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def report(repository: Repository) -> Any:
    """Report of the last job for monitoring."""
    return json.loads((repository.root / "report").read_text())


def test_a_restored_database_is_identical(
    server: Postgres, repository: Repository, backup: Backup, figures: Figures
) -> None:
    """Every table by count and checksum, every sequence, and what the role may do with it."""
    done = restored(server.admin, repository, backup, "archive", into="copy", key=KEY)
    assert done.items == 40000
    assert server.admin.content("copy") == live(server)
    assert server.admin.content("copy")["sequences"] == {"public.tasks_id_seq": 20000}
    owner = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert server.admin.query("copy", owner) == "archive"
    server.admin.query("postgres", "DROP DATABASE copy")
    figures.add(
        f"PostgreSQL, restore of {done.items} rows",
        f"RPO {done.recovery_point_seconds} s, RTO {done.recovery_time_seconds} s",
    )


def test_the_role_of_restores_restores_beside_and_over_live_data_and_is_no_superuser(
    server: Postgres, repository: Repository, backup: Backup
) -> None:
    """As the Job of a restore does: it creates databases and works as their owners, who then own the copy."""
    role, before = server.server("restore"), live(server)
    restored(role, repository, backup, "archive", into="copy", key=KEY)
    assert server.admin.content("copy") == before
    owner = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert server.admin.query("copy", owner) == "archive"
    done = restored(role, repository, backup, "archive", into="archive", key=KEY, replace=True)
    assert live(server) == before
    assert done.aside is not None
    for database in ("copy", done.aside):
        role.query("platform", f'DROP DATABASE "{database}"')
    with pytest.raises(BackupError, match="permission denied"):
        role.query("platform", "CREATE ROLE other")


def test_a_dump_is_told_by_its_own_id_also_where_a_clock_was_ahead(
    server: Postgres, repository: Repository, backup: Backup
) -> None:
    """Else the earlier one would be drilled and uploaded in its place."""
    ahead = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y%m%dT%H%M%SZ")
    backup.folder.rename(backup.folder.with_name(ahead))
    made = postgres.dump(server.server("backup"), ["archive"], repository, KEY)
    assert [each.id for each in repository.backups()] == [made, ahead]


def test_a_dump_holds_no_clear_text(backup: Backup) -> None:
    """Neither rows nor names of tables; the control run finds them in the manifest, where they belong."""
    sealed = (backup.folder / "archive.dump").read_bytes()
    assert b"tasks" not in sealed
    assert b"PGDMP" not in sealed
    assert b"tasks" in (backup.folder / "manifest.json").read_bytes()


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "gone"])
def test_a_damaged_dump_is_refused_before_anything_is_written(
    server: Postgres, repository: Repository, backup: Backup, damage: str
) -> None:
    """One bit, the last byte, everything, or the file itself."""
    path, before = backup.folder / "archive.dump", live(server)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    changed = {"flipped": bytes(content), "cut": path.read_bytes()[:-1], "empty": b""}
    path.unlink() if damage == "gone" else path.write_bytes(changed[damage])
    expected = {"flipped": "checksum", "cut": "cut off", "empty": "cut off", "gone": "missing"}[damage]
    with pytest.raises(BackupError, match=expected):
        restored(server.admin, repository, backup, "archive", into="archive", key=KEY, replace=True)
    assert live(server) == before


def test_a_wrong_key_is_told_from_a_damaged_dump(server: Postgres, repository: Repository, backup: Backup) -> None:
    """Another cure, so another message."""
    with pytest.raises(BackupError, match=r"was encrypted with the key .*; give the key of that time"):
        restored(server.admin, repository, backup, "archive", into="copy", key=derive_key("z" * 43))
    assert "copy" not in server.admin.databases()


def test_a_name_that_is_taken_is_replaced_only_on_demand(
    server: Postgres, repository: Repository, backup: Backup
) -> None:
    """The copy takes the name when it is complete; the former database is renamed, not deleted."""
    before = live(server)
    server.server("archive").query("archive", "DELETE FROM parts WHERE task > 10")
    with pytest.raises(BackupError, match="there is a database archive; restore under another name, or replace it"):
        restored(server.admin, repository, backup, "archive", into="archive", key=KEY)
    assert server.admin.query("archive", "SELECT count(*) FROM parts") == "10"
    restored(server.admin, repository, backup, "archive", into="archive", key=KEY, replace=True)
    assert live(server) == before
    (aside,) = (name for name in server.admin.databases() if name.startswith("archive_before_"))
    server.admin.query("postgres", f"ALTER DATABASE {aside} WITH ALLOW_CONNECTIONS true")
    assert server.admin.query(aside, "SELECT count(*) FROM parts") == "10"
    server.admin.query("postgres", f"DROP DATABASE {aside}")


def test_the_second_of_two_restores_is_refused(server: Postgres, repository: Repository, backup: Backup) -> None:
    """Two people in need, one database."""
    with repository.locked("restore"):
        request = ("restore", "postgres", "--only", "archive", "--into", "second", "--backup", backup.id)
        done = command(server, repository.root, *request)
    assert done.returncode == 1
    assert done.stderr == "error: another restore of postgres is at work; wait until it has ended\n"
    assert "second" not in server.admin.databases()


def test_a_full_volume_fails_the_dump_and_leaves_the_earlier_ones(
    server: Postgres, repository: Repository, backup: Backup
) -> None:
    """The job fails, the metric says so, and the last good backup is still one."""

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = command(server, repository.root, "dump", "postgres", "--only", "archive", preexec_fn=small)
    assert done.returncode == 1
    assert "the volume of the backups is full (File too large); enlarge it or keep fewer backups" in done.stderr
    assert [each.id for each in repository.backups()] == [backup.id]
    sealing.check(backup, KEY)
    assert sorted(path.name for path in repository.folder.iterdir() if path.is_dir()) == [backup.id]
    assert report(repository) == {"store": "postgres", "action": "dump", "figures": {metrics.DUMP_SUCCESS: 0}}


def test_a_failed_client_fails_the_dump(
    server: Postgres, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that writes half and ends with an error; one of another version; and a database that does not exist."""
    fake = tmp_path / "bin" / "pg_dump"
    fake.parent.mkdir()
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    fake.write_text("#!/bin/sh\ncase $1 in --version) echo 'pg_dump (PostgreSQL) 18.4';; *) echo half; exit 1;; esac\n")
    fake.chmod(0o755)
    with pytest.raises(BackupError, match="pg_dump of archive failed"):
        postgres.dump(server.admin, ["archive"], repository, KEY)
    fake.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.3'\n")
    with pytest.raises(BackupError, match=r"clients are of version 15.3, the server of 18; use the image for 18"):
        postgres.dump(server.admin, ["archive"], repository, KEY)
    fake.unlink()
    with pytest.raises(BackupError, match="there is no database altlas_db; there are: archive"):
        postgres.dump(server.admin, ["altlas_db"], repository, KEY)
    assert repository.backups() == ()


def test_a_dump_is_of_one_moment_while_rows_are_written(server: Postgres, repository: Repository) -> None:
    """Counts and content come from one snapshot, so a busy database restores without a difference."""
    busy = "CREATE TABLE IF NOT EXISTS busy (n int); " + "INSERT INTO busy SELECT 1;\n" * 3000
    writer = subprocess.Popen(
        ["psql", "-XqAt", "-d", "segmentation"],
        env=server.admin.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert writer.stdin is not None
    writer.stdin.write(busy)
    writer.stdin.flush()
    identifier = postgres.dump(server.admin, ["segmentation"], repository, KEY)
    writer.send_signal(signal.SIGTERM)
    writer.communicate()
    found = repository.backup(identifier)
    done = restored(server.admin, repository, found, "segmentation", into="calm", key=KEY)
    assert done.items == sum(t["rows"] for t in found.manifest["files"][0]["content"]["tables"].values())
    server.admin.query("postgres", "DROP DATABASE calm")


def test_a_drill_restores_compares_and_leaves_nothing(
    server: Postgres, repository: Repository, backup: Backup, figures: Figures
) -> None:
    """The figures are measured, and monitoring can read them."""
    before = server.admin.databases()
    done = command(server, repository.root, "drill", "postgres", "--backup", backup.id)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["drill"]
    assert [(each["backup"], each["items"]) for each in results] == [
        (backup.id, 40000),
        (backup.id, results[1]["items"]),
    ]
    assert server.admin.databases() == before
    reported, worst = report(repository)["figures"], max(each["recovery_time_seconds"] for each in results)
    assert reported[metrics.DRILL_SUCCESS] == 1
    assert reported[metrics.DRILL_RECOVERY_TIME] == worst
    recovery_point = results[0]["recovery_point_seconds"]
    figures.add("PostgreSQL, drill of 2 databases", f"RPO {recovery_point} s, worst RTO {worst} s")


def test_a_drill_on_a_server_of_its_own_needs_no_live_one(folder: Path, backup: Backup) -> None:
    """As each scheduled dump is proven: the server exists for the drill only, and the folder goes with it."""
    home = folder / "scratch"
    home.mkdir()
    own(home).chmod(0o700)
    with scratch_server(["archive", "segmentation"], folder=home, process=unprivileged()) as scratch:
        results = postgres.drill(scratch, backup, KEY)
        assert scratch.databases() == ("postgres",)
    assert {each.items for each in results} >= {40000}
    assert not home.exists()


def test_a_moment_before_the_first_backup_and_an_unknown_id_are_refused(
    server: Postgres, repository: Repository, backup: Backup
) -> None:
    """Each with what there is."""
    early = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    done = command(server, repository.root, "check", "postgres", "--at", early)
    assert done.returncode == 1
    assert f"postgres has no backup from before {early}; the oldest is {backup.id}" in done.stderr
    done = command(server, repository.root, "check", "postgres", "--backup", "20000101T000000Z")
    assert f"postgres has no backup '20000101T000000Z'; there are: {backup.id}" in done.stderr
    done = command(server, repository.root, "check", "postgres", "--at", "yesterday")
    assert "'yesterday' is not a time with its zone" in done.stderr
