"""Uploads to an S3 interface. The one here is a stand-in (moto), not a real object store: that is not proven here."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from moto.server import ThreadedMotoServer

from backup import metrics
from backup.object_store import ObjectStore
from backup.repository import Backup, Repository
from components.stores.redis import configuration
from tests.data.backup_command import BackupCommand, path_with
from tests.data.redis_servers import PASSWORDS, RedisServers, client, redis_of, running
from tests.support.figures import Figures

pytestmark = pytest.mark.data

BUCKET = "alt-las-backups"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A stand-in for an object store, on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def bucket(endpoint: str) -> Iterator[Any]:  # Any: boto3 makes its clients when it runs
    """An empty bucket, read by another client than the program under test."""
    made = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
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
def backups(redis: RedisServers, endpoint: str, tmp_path: Path) -> BackupCommand:
    """The command as the CronJob of a stack with an object store runs it."""
    environment = {
        "PATH": path_with(),
        "REDIS_HOST": redis.entry,
        "REDIS_PORT": str(configuration.PORT),
        "REDIS_PASSWORD": PASSWORDS["backup"],
        "S3_ENDPOINT": endpoint,
        "S3_BUCKET": BUCKET,
        "S3_PREFIX": "dumps",
        "S3_REGION": "us-east-1",
        "S3_ACCESS_KEY_ID": "a",
        "S3_SECRET_ACCESS_KEY": "secret-of-the-object-store",
    }
    return BackupCommand(Repository(tmp_path / "volume", "redis"), environment)


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
    assert keys(bucket) == [f"dumps/redis/{name}/dump.rdb", f"dumps/redis/{name}/manifest.json"]
    assert b"precious" not in bucket.get_object(Bucket=BUCKET, Key=f"dumps/redis/{name}/dump.rdb")["Body"].read()
    elsewhere = BackupCommand(Repository(tmp_path / "other", "redis"), backups.environment)
    assert elsewhere.answer("fetch") == {"backup": name}
    (drilled,) = elsewhere.answer("drill")["drill"]
    assert drilled["backup"] == name
    figures.add("Redis, dump to a stand-in for S3, volume lost, fetched and drilled", f"{drilled['items']} keys")


def test_nothing_is_fetched_while_a_dump_is_written(backups: BackupCommand, bucket: Any) -> None:
    """Else what the dump has written so far would be cleared away as left over."""
    name = backups.answer("dump")["backup"]
    assert keys(bucket) == [f"dumps/redis/{name}/dump.rdb", f"dumps/redis/{name}/manifest.json"]
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
        ({"S3_ENDPOINT": "http://127.0.0.1:1"}, "cannot be used: Could not connect to the endpoint URL"),
        ({"S3_ENDPOINT": "http://no-such-host.invalid"}, "cannot be used: Could not connect to the endpoint URL"),
        ({"S3_BUCKET": "no-such-bucket"}, "there is no such bucket"),
        ({"S3_ACCESS_KEY_ID": ""}, "S3_ENDPOINT is set, but S3_ACCESS_KEY_ID is not; give all of them, or none"),
    ],
)
def test_an_object_store_that_cannot_be_used_fails_the_job_and_deletes_nothing(
    backups: BackupCommand, bucket: Any, changes: dict[str, str], message: str
) -> None:
    """The dump stays on the volume, the metric says that the job failed, and the key is in no message."""
    before = backups.answer("dump")["backup"]
    held = keys(bucket)
    refused = backups.refusal("dump", "--keep", "1", "--days", "0", **changes)
    assert message in refused
    assert "secret-of-the-object-store" not in refused
    assert backups.report()["figures"] == {metrics.DUMP_SUCCESS: 0}
    assert next(each.id for each in backups.repository.backups()) == before
    assert len(backups.repository.backups()) == 2
    assert keys(bucket) == held
    assert message in backups.refusal("preflight", **changes)


def test_credentials_that_may_not_write_are_refused_by_the_preflight(backups: BackupCommand, bucket: Any) -> None:
    """Before the first dump, with what to grant. The stand-in refuses by a policy of the bucket."""
    bucket.put_bucket_policy(
        Bucket=BUCKET,
        Policy='{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*",'
        f' "Resource": ["arn:aws:s3:::{BUCKET}/*"]}}]}}',
    )
    refused = backups.refusal("preflight")
    assert "the credentials may not do this; they need to list, read, write and delete in the bucket" in refused
    bucket.delete_bucket_policy(Bucket=BUCKET)
    assert backups.answer("preflight")["usable"] is True


def test_old_copies_go_and_the_newest_whole_ones_stay(backups: BackupCommand, bucket: Any) -> None:
    """A copy without a manifest never counts; what is not ours is left alone."""
    store = ObjectStore.from_environment(backups.environment)
    assert store is not None
    now = datetime.now(UTC).replace(microsecond=0)
    names = [(now - timedelta(days=age)).strftime("%Y%m%dT%H%M%SZ") for age in (30, 20, 10, 1)]
    for name in names:
        bucket.put_object(Bucket=BUCKET, Key=f"dumps/redis/{name}/dump.rdb", Body=b"x")
        if name != names[1]:
            bucket.put_object(Bucket=BUCKET, Key=f"dumps/redis/{name}/manifest.json", Body=b"{}")
    bucket.put_object(Bucket=BUCKET, Key="dumps/nats/notes.txt", Body=b"x")
    assert store.thin_out("redis", 2, timedelta(days=7), now) == (names[0],)
    assert store.identifiers("redis") == (names[2], names[3])
    assert store.thin_out("redis", 0, timedelta(days=0), now) == (names[2],)
    assert store.identifiers("redis") == (names[3],)
    assert "dumps/nats/notes.txt" in keys(bucket)


def test_a_copy_that_was_changed_in_the_bucket_is_not_taken(
    backups: BackupCommand, bucket: Any, tmp_path: Path
) -> None:
    """The manifest's checksum tells; the volume stays as it was."""
    name = backups.answer("dump")["backup"]
    bucket.put_object(Bucket=BUCKET, Key=f"dumps/redis/{name}/dump.rdb", Body=b"something else")
    elsewhere = BackupCommand(Repository(tmp_path / "other", "redis"), backups.environment)
    assert "it is cut off or was written over" in elsewhere.refusal("fetch")
    assert elsewhere.repository.backups() == ()
    assert "has no backup '20000101T000000Z' of redis; it has:" in elsewhere.refusal(
        "fetch", "--backup", "20000101T000000Z"
    )
    kept: Backup = backups.repository.backup(name)
    kept.verify()
