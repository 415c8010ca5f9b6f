"""A base backup and the write-ahead log of a real PostgreSQL in a real bucket, by Barman's commands, and back again."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.s3_server import BUCKET, Archiver, archiver
from tests.data.s3_server import running as s3_running
from tests.support.figures import Figures
from tests.support.loopback import wait_until
from tests.support.postgres_servers import Postgres, own, running

pytestmark = pytest.mark.data


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archiver]:
    """Barman's commands with what alpha's objects tell the plugin, and an empty bucket."""
    with s3_running(tmp_path) as server:
        server.client().create_bucket(Bucket=BUCKET)
        yield archiver(server, region="eu-west-3")


def succeeded(done: "subprocess.CompletedProcess[str]") -> None:
    """Fail with what the command said."""
    assert done.returncode == 0, done.stderr


def archive_log(server: Postgres, archive: Archiver) -> None:
    """Archive every finished file of the log, as the server's archiver would; it runs as another user here."""
    last = server.admin.query("postgres", "SELECT pg_walfile_name(pg_switch_wal())")
    for segment in sorted((server.data / "pg_wal").glob("[0-9A-F]*")):
        name = segment.name
        if segment.is_file() and (name <= last or not name.isalnum()):
            succeeded(archive.run("wal-archive", str(segment), options=archive.uploading("wal")))


@pytest.mark.usefixtures("postgres_clients")
def test_a_lost_server_comes_back_from_the_bucket_with_what_was_written_after_the_base_backup(
    archive: Archiver, folder: Path, figures: Figures
) -> None:
    """The base backup alone is older; the log brings the rest."""
    with running(folder / "server") as server:
        server.admin.query("archive", "CREATE TABLE log AS SELECT generate_series(1, 1000) n")
        where = ("--host", str(server.folder), "--port", str(server.port), "--user", "postgres")
        upload = (*archive.uploading("data"), "--immediate-checkpoint", *where)
        succeeded(archive.run("backup", options=upload))
        server.admin.query("archive", "INSERT INTO log SELECT generate_series(1001, 1500)")
        archive_log(server, archive)
        server.stop(signal.SIGKILL)
    # The log is laid where the server looks by itself, for it may not start programs of this user.
    recovered = Postgres(folder / "recovered", settings={"restore_command": "false"})
    recovered.folder.mkdir()
    listed = archive.run("backup-list", options=("--format", "json"))
    succeeded(listed)
    (backup,) = json.loads(listed.stdout)["backups_list"]
    succeeded(archive.run("restore", backup["backup_id"], str(recovered.data)))
    for name in archived(archive):
        succeeded(archive.run("wal-restore", name, str(recovered.data / "pg_wal" / name)))
    (recovered.data / "recovery.signal").touch()
    recovered.configure()
    for path in (recovered.folder, *recovered.folder.rglob("*")):
        own(path)
    recovered.data.chmod(0o700)
    try:
        recovered.start()
        wait_until(lambda: rows(recovered) == 1500, "the log is replayed")
    finally:
        recovered.stop(signal.SIGQUIT)
    figures.add("PostgreSQL, lost and recovered from an S3 server by Barman's commands", "1,500 of 1,500 rows")


def rows(server: Postgres) -> int:
    """Rows that are there."""
    return int(server.admin.query("archive", "SELECT count(*) FROM log"))


def archived(archive: Archiver) -> list[str]:
    """Files of the log in the bucket."""
    found = archive.server.client().list_objects_v2(Bucket=BUCKET)["Contents"]
    return [Path(each["Key"]).name.removesuffix(".gz") for each in found if "/wals/" in each["Key"]]
