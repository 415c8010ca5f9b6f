"""Requests to an S3 store: nothing in them that stores other than AWS refuse."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from backup.errors import BackupError
from backup.object_store import ObjectStore
from backup.repository import MANIFEST, Backup
from tests.support.http_server import QuietHandler, http_server

BUCKET = "backups"


@dataclass
class Requests:
    """Requests to a store on loopback.

    Attributes:
        url: Its address.
        sizes: Bytes of each stored object by path.
        refused: Headers of the uploads that it did not take.
        asked: Encryption that each upload asked for, None for none.
    """

    url: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    refused: list[Mapping[str, str]] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)


def _has_checksum_trailer(headers: Mapping[str, str]) -> bool:
    """True if an upload carries what boto3 adds by default and several S3 stores answer with 501."""
    added = {"x-amz-trailer", "x-amz-sdk-checksum-algorithm"} & headers.keys()
    return bool(added) or "aws-chunked" in headers.get("content-encoding", "")


class _StrictStore(QuietHandler):
    requests: Requests

    def do_PUT(self) -> None:  # the name that http.server looks for
        """Take an upload without a checksum trailer."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        size = int(headers.get("content-length", 0))
        self.rfile.read(size)
        if _has_checksum_trailer(headers):
            self.requests.refused.append(headers)
            self._answer(501)
        else:
            self.requests.sizes[self.path] = size
            self.requests.asked.append(headers.get("x-amz-server-side-encryption"))
            self._answer(200)

    def do_POST(self) -> None:  # the name that http.server looks for
        """Begin an upload in parts, or end it."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer(200, body=b"<Answer><UploadId>1</UploadId></Answer>")

    def do_HEAD(self) -> None:  # the name that http.server looks for
        """Tell the size of an object; the bucket is there."""
        self._answer(200, self.requests.sizes.get(self.path, 0))

    def do_GET(self) -> None:  # the name that http.server looks for
        """Give an empty object."""
        self._answer(200)

    def do_DELETE(self) -> None:  # the name that http.server looks for
        """Delete an object."""
        self._answer(204)

    def _answer(self, code: int, size: int = 0, body: bytes = b"") -> None:
        self.send_response(code)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(size or len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def requests() -> Iterator[Requests]:
    """A store on loopback that refuses checksum trailers."""
    found = Requests()
    with http_server(type("Store", (_StrictStore,), {"requests": found})) as port:
        found.url = f"http://127.0.0.1:{port}"
        yield found


def store_at(url: str) -> ObjectStore:
    """The bucket under test."""
    return ObjectStore(url, BUCKET, "dumps", "us-east-1", "key", "secret")


def test_the_write_test_carries_no_checksum_trailer(requests: Requests) -> None:
    """The preflight of each backup."""
    store_at(requests.url).check("redis")
    assert requests.refused == []
    path = f"/{BUCKET}/dumps/redis/altlas-write-test"
    assert requests.sizes == {path: 0, f"{path}?uploadId=1&partNumber=1": len(b"part")}


def test_an_upload_carries_no_checksum_trailer(requests: Requests, tmp_path: Path) -> None:
    """Files go another way through boto3 than the write test does."""
    (tmp_path / "dump.rdb").write_bytes(b"content")
    manifest = {"files": [{"name": "dump.rdb"}]}
    (tmp_path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    store_at(requests.url).upload(Backup(tmp_path, manifest), "redis")
    folder = f"/{BUCKET}/dumps/redis/{tmp_path.name}/"
    assert requests.refused == []
    assert requests.sizes == {
        f"{folder}dump.rdb": len(b"content"),
        f"{folder}{MANIFEST}": len(json.dumps(manifest)),
    }


@pytest.mark.parametrize("encryption", ["AES256", "aws:kms"])
def test_encryption_is_asked_for_with_every_upload_and_a_store_that_ignores_it_is_refused(
    requests: Requests, tmp_path: Path, encryption: str
) -> None:
    """Some stores take the header and do nothing; only their answer tells."""
    store = replace(store_at(requests.url), encryption=encryption)
    with pytest.raises(BackupError, match=f"asked for the encryption {encryption} and says it made none; remove"):
        store.check("redis")
    (tmp_path / MANIFEST).write_text("{}", encoding="utf-8")
    store.upload(Backup(tmp_path, {"files": []}), "redis")
    assert requests.asked == [encryption, encryption]


def test_nothing_is_asked_for_without_the_setting(requests: Requests) -> None:
    """A store without a key service would refuse it."""
    store_at(requests.url).check("redis")
    assert set(requests.asked) == {None}


def test_the_store_refuses_boto3s_default(requests: Requests) -> None:
    """The control: without the setting every upload fails there."""
    client = boto3.client(
        "s3", endpoint_url=requests.url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with pytest.raises(ClientError, match="501"):
        client.put_object(Bucket=BUCKET, Key="one", Body=b"content")
    assert requests.refused
