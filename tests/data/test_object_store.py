"""Backups and the write-ahead log in the bucket of a real S3 server, by TLS of a private CA."""

import re
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backup import metrics
from backup.errors import BackupError
from backup.object_store import ObjectStore
from backup.repository import Backup, Repository
from components.stores.redis import configuration
from tests.data import debian
from tests.data.backup_command import BackupCommand, path_with
from tests.data.redis_servers import PASSWORDS, RedisServers, client, redis_of, running
from tests.data.s3_server import BUCKET, READER, WRITER, S3Server, archiver, stack_objects
from tests.data.s3_server import running as s3_running
from tests.support.figures import Figures
from tests.support.program import find

pytestmark = pytest.mark.data

SEGMENT = "000000010000000000000001"
"""Name of a file of the write-ahead log."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The S3 server."""
    with s3_running(tmp_path_factory.mktemp("s3")) as running_server:
        yield running_server


@pytest.fixture
def bucket(server: S3Server) -> Iterator[Any]:  # Any: boto3 makes its clients when it runs
    """An empty bucket, read by another client than the program under test."""
    made = server.client()
    made.create_bucket(Bucket=BUCKET)
    yield made
    for entry in made.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        made.delete_object(Bucket=BUCKET, Key=entry["Key"])
    made.delete_bucket(Bucket=BUCKET)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServers]:
    """Something to dump."""
    with running(tmp_path_factory.mktemp("redis"), redis_of("alpha")) as servers:
        client(servers.entry).set("precious", "kept")
        yield servers


@pytest.fixture
def backups(redis: RedisServers, server: S3Server, tmp_path: Path) -> BackupCommand:
    """The command as the CronJob of a stack with an object store runs it."""
    environment = {
        **rendered(server),
        "PATH": path_with(debian.redis()),
        "REDIS_HOST": redis.entry,
        "REDIS_PORT": str(configuration.PORT),
        "REDIS_PASSWORD": PASSWORDS["backup"],
    }
    return BackupCommand(Repository(tmp_path / "volume", "redis"), environment)


def rendered(server: S3Server, **changes: Any) -> dict[str, str]:
    """Variables by which the Jobs of alpha reach the bucket."""
    pod = find(stack_objects(server, **changes), "CronJob", "redis-backup")["spec"]["jobTemplate"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    found = {each["name"]: each["value"] for each in container["env"] if each["name"].startswith("S3_")}
    return found | dict(zip(("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"), WRITER, strict=True))


def keys(bucket: Any) -> list[str]:
    """Keys in the bucket."""
    return sorted(entry["Key"] for entry in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", ()))


def test_a_dump_arrives_whole_and_is_fetched_on_an_empty_volume(
    backups: BackupCommand, bucket: Any, tmp_path: Path, figures: Figures
) -> None:
    """The volume is lost; the bucket and the key are enough to drill the dump. Encrypted as on the volume."""
    assert backups.answer("preflight") == {"bucket": BUCKET, "usable": True}
    made = backups.answer("dump")
    name = made["backup"]
    assert made["uploaded_to"] == BUCKET
    assert keys(bucket) == [f"alpha/dumps/1/redis/{name}/dump.rdb", f"alpha/dumps/1/redis/{name}/manifest.json"]
    assert (
        b"precious" not in bucket.get_object(Bucket=BUCKET, Key=f"alpha/dumps/1/redis/{name}/dump.rdb")["Body"].read()
    )
    elsewhere = BackupCommand(Repository(tmp_path / "other", "redis"), backups.environment)
    assert elsewhere.answer("fetch") == {"backup": name}
    (drilled,) = elsewhere.answer("drill")["drill"]
    assert drilled["backup"] == name
    figures.add("Redis, dump to an S3 server, volume lost, fetched and drilled", f"{drilled['items']} keys")


def test_nothing_is_fetched_while_a_dump_is_written(backups: BackupCommand, bucket: Any) -> None:
    """Else what the dump has written so far would be cleared away as left over."""
    name = backups.answer("dump")["backup"]
    assert keys(bucket) == [f"alpha/dumps/1/redis/{name}/dump.rdb", f"alpha/dumps/1/redis/{name}/manifest.json"]
    shutil.rmtree(backups.repository.folder / name)
    # Of another second than the dump above, whose name it would have else.
    with backups.repository.locked("dump"), backups.repository.new(datetime(2026, 1, 1, tzinfo=UTC)) as written:
        refused = backups.refusal("fetch")
        assert written.is_dir()
        (written / "manifest.json").write_text("{}")
    assert refused == "error: another dump of redis is at work; wait until it has ended"
    assert backups.answer("fetch") == {"backup": name}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"S3_ENDPOINT": "https://127.0.0.1:1"}, "cannot be used: Could not connect to the endpoint URL"),
        ({"S3_ENDPOINT": "https://no-such-host.invalid"}, "cannot be used: Could not connect to the endpoint URL"),
        ({"S3_CA": ""}, "certificate verify failed"),
        ({"S3_ACCESS_KEY_ID": "nobody"}, "the access key is unknown; set the secret objectStoreAccessKeyId"),
        ({"S3_SECRET_ACCESS_KEY": "not-it"}, "the secret key is wrong; set the secret objectStoreSecretAccessKey"),
        (
            {"S3_ACCESS_KEY_ID": READER[0], "S3_SECRET_ACCESS_KEY": READER[1]},
            "the credentials may not do this; they need to list, read, write and delete in the bucket",
        ),
        ({"S3_ENCRYPTION": "AES256"}, "if it has no key service, remove backup.objectStore.encryption"),
        ({"S3_BUCKET": "no-such-bucket"}, "there is no such bucket"),
    ],
)
def test_an_object_store_that_cannot_be_used_is_refused_with_the_cure(
    server: S3Server, bucket: Any, changes: dict[str, str], message: str
) -> None:
    """Before the first backup, and the key is in no message."""
    usual = dict(rendered(server))
    store, wrong = (ObjectStore.from_environment(each) for each in (usual, usual | changes))
    assert store is not None
    assert wrong is not None
    store.check("redis")
    with pytest.raises(BackupError, match=re.escape(message)) as refused:
        wrong.check("redis")
    assert WRITER[1] not in str(refused.value)
    assert keys(bucket) == []


def test_an_upload_that_fails_fails_the_job_and_deletes_nothing(backups: BackupCommand, bucket: Any) -> None:
    """The dump stays on the volume, and the metric says that the job failed."""
    before = backups.answer("dump")["backup"]
    held = keys(bucket)
    refused = backups.refusal("dump", "--keep", "1", "--days", "0", S3_BUCKET="no-such-bucket")
    assert "there is no such bucket" in refused
    assert backups.report()["figures"] == {metrics.DUMP_SUCCESS: 0}
    assert next(each.id for each in backups.repository.backups()) == before
    assert len(backups.repository.backups()) == 2
    assert keys(bucket) == held
    missing = "S3_ENDPOINT is set, but S3_ACCESS_KEY_ID is not; give all of them, or none"
    assert missing in backups.refusal("preflight", S3_ACCESS_KEY_ID="")


@pytest.mark.parametrize("encryption", [None, "AES256"])
def test_the_preflight_and_the_archiver_meet_the_same_answer(
    bucket: Any, server: S3Server, tmp_path: Path, encryption: str | None
) -> None:
    """This store has no key service: who asks for encryption is refused, who does not is served, in both ways."""
    segment = tmp_path / SEGMENT
    segment.write_bytes(bytes(range(256)) * (1 << 16))
    archive = archiver(server, encryption=encryption)
    done = archive.run("wal-archive", str(segment), options=archive.uploading("wal"))
    store = ObjectStore.from_environment(rendered(server, encryption=encryption))
    assert store is not None
    with pytest.raises(BackupError) if encryption else nullcontext():
        store.check("redis")
    assert (done.returncode == 0) is (encryption is None), done.stderr
    assert keys(bucket) == ([] if encryption else [f"alpha/wal/postgres-1/wals/{SEGMENT[:16]}/{SEGMENT}.gz"])


@pytest.mark.usefixtures("bucket")
def test_a_new_life_of_a_stack_does_not_write_into_the_log_of_an_earlier_one(server: S3Server, tmp_path: Path) -> None:
    """A new Cluster is refused by an archive that has a log; with the next generation it has an empty one."""
    segment, back = tmp_path / SEGMENT, tmp_path / "back"
    segment.write_bytes(b"\x01" * (1 << 20))
    first, second = archiver(server), archiver(server, generation=2)
    assert first.run("check-wal-archive").returncode == 0
    assert first.run("wal-archive", str(segment), options=first.uploading("wal")).returncode == 0
    refused = first.run("check-wal-archive")
    assert refused.returncode == 1
    assert "Expected empty archive" in refused.stderr
    assert second.run("check-wal-archive").returncode == 0
    # The earlier life is read through the object of the present one.
    earlier = replace(second, archive=first.archive)
    assert earlier.run("wal-restore", SEGMENT, str(back)).returncode == 0
    assert back.read_bytes() == segment.read_bytes()
    assert second.run("wal-restore", SEGMENT, str(tmp_path / "none")).returncode != 0


def test_retention_and_fetch_stay_within_a_life(backups: BackupCommand, bucket: Any, tmp_path: Path) -> None:
    """The backups of the lost stack are neither deleted by the new one nor out of reach."""
    name = backups.answer("dump")["backup"]
    other = BackupCommand(Repository(tmp_path / "new", "redis"), {**backups.environment, "S3_PREFIX": "alpha/dumps/2"})
    later = other.answer("dump", "--keep", "1", "--days", "0")
    assert later["removed_from_bucket"] == []
    assert f"alpha/dumps/1/redis/{name}/manifest.json" in keys(bucket)
    if name != later["backup"]:
        assert "has no backup" in other.refusal("fetch", "--backup", name)
        assert other.answer("fetch", "--backup", name, S3_PREFIX="alpha/dumps/1") == {"backup": name}


def test_old_copies_go_and_the_newest_whole_ones_stay(backups: BackupCommand, bucket: Any) -> None:
    """A copy without a manifest never counts; what is not ours is left alone."""
    store = ObjectStore.from_environment(backups.environment)
    assert store is not None
    now = datetime.now(UTC).replace(microsecond=0)
    names = [(now - timedelta(days=age)).strftime("%Y%m%dT%H%M%SZ") for age in (30, 20, 10, 1)]
    for name in names:
        bucket.put_object(Bucket=BUCKET, Key=f"alpha/dumps/1/redis/{name}/dump.rdb", Body=b"x")
        if name != names[1]:
            bucket.put_object(Bucket=BUCKET, Key=f"alpha/dumps/1/redis/{name}/manifest.json", Body=b"{}")
    bucket.put_object(Bucket=BUCKET, Key="alpha/dumps/1/nats/notes.txt", Body=b"x")
    assert store.thin_out("redis", 2, timedelta(days=7), now) == (names[0],)
    assert store.identifiers("redis") == (names[2], names[3])
    assert store.thin_out("redis", 0, timedelta(days=0), now) == (names[2],)
    assert store.identifiers("redis") == (names[3],)
    assert "alpha/dumps/1/nats/notes.txt" in keys(bucket)


def test_a_copy_that_was_changed_in_the_bucket_is_not_taken(
    backups: BackupCommand, bucket: Any, tmp_path: Path
) -> None:
    """The manifest's checksum tells; the volume stays as it was."""
    name = backups.answer("dump")["backup"]
    bucket.put_object(Bucket=BUCKET, Key=f"alpha/dumps/1/redis/{name}/dump.rdb", Body=b"something else")
    elsewhere = BackupCommand(Repository(tmp_path / "other", "redis"), backups.environment)
    assert "it is cut off or was written over" in elsewhere.refusal("fetch")
    assert elsewhere.repository.backups() == ()
    assert "has no backup '20000101T000000Z' of redis; it has:" in elsewhere.refusal(
        "fetch", "--backup", "20000101T000000Z"
    )
    kept: Backup = backups.repository.backup(name)
    kept.verify()
