"""Copies of the backups in a bucket of an S3 interface, each complete or absent like those of the volume.

Reached by S3_ENDPOINT, S3_BUCKET, S3_PREFIX, S3_REGION, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY. Where they are set,
S3_CA holds the certificates of the endpoint's private CA, and S3_ENCRYPTION is the encryption at rest that uploads ask
the store for, AES256 or aws:kms. What is uploaded is encrypted already. The manifest goes last, so that a backup with a
manifest is a whole one. Nothing is deleted unless an upload of this run has succeeded, and never the newest whole ones.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
from boto3.exceptions import Boto3Error  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from backup.errors import BackupError
from backup.repository import MANIFEST, Backup, Repository, is_identifier, taken_at_of

_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_TRIES = 3
_PROBE = "altlas-write-test"
_CURE = "remove backup.objectStore.encryption"
_REASONS = {
    "NoSuchBucket": "there is no such bucket; create it, or correct backup.objectStore.bucket",
    "InvalidAccessKeyId": "the access key is unknown; set the secret objectStoreAccessKeyId",
    "SignatureDoesNotMatch": "the secret key is wrong; set the secret objectStoreSecretAccessKey",
    "AccessDenied": "the credentials may not do this; they need to list, read, write and delete in the bucket",
    "403": "the credentials may not do this; they need to list, read, write and delete in the bucket",
    "404": "there is no such bucket or object",
}


@dataclass(frozen=True)
class ObjectStore:
    """The backups of one store in a bucket.

    Attributes:
        endpoint: Address of the S3 interface.
        bucket: Bucket, which must exist.
        prefix: Folder of the backups in it.
        region: Region of the bucket.
        access_key: Name of the credentials.
        secret_key: Their secret.
        encryption: Encryption at rest that uploads ask for; empty to ask for none.
        authority: Certificates (PEM) of the endpoint's private CA; empty for public CAs.
    """

    endpoint: str
    bucket: str
    prefix: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)
    encryption: str = ""
    authority: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, found: Mapping[str, str] = os.environ) -> "ObjectStore | None":
        """The bucket that the variables name; None where they name no endpoint.

        Raises:
            BackupError: There is an endpoint, but something else is missing.
        """
        if not found.get("S3_ENDPOINT"):
            return None
        names = ("S3_ENDPOINT", "S3_BUCKET", "S3_PREFIX", "S3_REGION", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")
        missing = [name for name in names if not found.get(name)]
        if missing:
            raise BackupError(f"S3_ENDPOINT is set, but {', '.join(missing)} is not; give all of them, or none")
        further = (found.get(name, "") for name in ("S3_ENCRYPTION", "S3_CA"))
        return cls(*(found[name] for name in names), *further)

    def check(self, store: str) -> None:
        """Make sure that backups of a store can be written, read and deleted, by doing so with an empty object.

        Uploads in both ways, and with the headers, of the dumps and of Barman's archiver: whole, and in parts.

        Raises:
            BackupError: The endpoint cannot be reached, refuses, has no such bucket, or did not encrypt.
        """
        target = {"Bucket": self.bucket, "Key": f"{self._folder(store)}{_PROBE}"}
        with self._client() as client:
            # Not HEAD, whose answer has no text that could name a wrong region.
            client.list_objects_v2(Bucket=self.bucket, MaxKeys=1)
            client.put_object(**target, **self._asked, Body=b"")
            self._check_encrypted(client.get_object(**target))
            upload = {"UploadId": client.create_multipart_upload(**target, **self._asked)["UploadId"]}
            part = client.upload_part(**target, **upload, PartNumber=1, Body=b"part")
            parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
            client.complete_multipart_upload(**target, **upload, MultipartUpload=parts)
            client.delete_object(**target)

    @property
    def _asked(self) -> dict[str, str]:
        return {"ServerSideEncryption": self.encryption} if self.encryption else {}

    def _check_encrypted(self, answer: Mapping[str, Any]) -> None:
        made = answer.get("ServerSideEncryption")
        if self.encryption and made != self.encryption:
            raise BackupError(
                f"{self._where()} was asked for the encryption {self.encryption} and says it made {made or 'none'}; "
                f"{_CURE}, or let the store encrypt"
            )

    def upload(self, backup: Backup, store: str) -> None:
        """Copy a backup into the bucket, the manifest last, and compare the sizes of what arrived.

        Raises:
            BackupError: It did not arrive. What the bucket had is untouched.
        """
        folder = f"{self._folder(store)}{backup.id}/"
        names = [*(entry["name"] for entry in backup.manifest["files"]), MANIFEST]
        with self._client() as client:
            for name in names:
                client.upload_file(str(backup.folder / name), self.bucket, folder + name, ExtraArgs=self._asked)
                arrived = client.head_object(Bucket=self.bucket, Key=folder + name)["ContentLength"]
                if arrived != (backup.folder / name).stat().st_size:
                    raise BackupError(f"of {folder}{name} only {arrived} bytes arrived in the bucket {self.bucket}")

    def identifiers(self, store: str) -> tuple[str, ...]:
        """Ids of the complete backups of a store, oldest first."""
        keys, start = self._keys(store), len(self._folder(store))
        found = [key[start:].partition("/") for key in keys]
        return tuple(sorted(name for name, _, file in found if file == MANIFEST and is_identifier(name)))

    def fetch(self, repository: Repository, identifier: str | None) -> str:
        """Copy a backup, the newest when none is named, from the bucket into a repository, and return its id.

        Raises:
            BackupError: The bucket does not have it, it cannot be read, or what arrived is not whole.
        """
        known = self.identifiers(repository.store)
        chosen = identifier or (known[-1] if known else "")
        if chosen not in known:
            names = ", ".join(known) or "none"
            raise BackupError(
                f"the bucket {self.bucket} has no backup {chosen!r} of {repository.store}; it has: {names}"
            )
        folder = f"{self._folder(repository.store)}{chosen}/"
        # A dump that is being written must not be taken for one that was left over.
        with repository.locked("dump"), repository.new(taken_at_of(chosen)) as target, self._client() as client:
            client.download_file(self.bucket, folder + MANIFEST, str(target / MANIFEST))
            manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
            for entry in manifest["files"]:
                # Everyone who can write to the bucket could otherwise choose where this writes.
                name = Path(entry["name"]).name
                client.download_file(self.bucket, folder + name, str(target / name))
            Backup(target, manifest).verify()
        return chosen

    def thin_out(self, store: str, keep: int, age: timedelta, now: datetime) -> tuple[str, ...]:
        """Delete what is older than `age`, but always keep the newest `keep` complete backups.

        Returns:
            The ids of the deleted backups.
        """
        identifiers = self.identifiers(store)
        doomed = [each for each in identifiers[: -max(keep, 1)] if now - taken_at_of(each) > age]
        with self._client() as client:
            for identifier in doomed:
                folder = f"{self._folder(store)}{identifier}/"
                # The manifest first: without it the rest is no backup any more.
                for key in (folder + MANIFEST, *self._keys(store, identifier)):
                    client.delete_object(Bucket=self.bucket, Key=key)
        return tuple(doomed)

    def _keys(self, store: str, identifier: str = "") -> list[str]:
        prefix = self._folder(store) + (f"{identifier}/" if identifier else "")
        with self._client() as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def _folder(self, store: str) -> str:
        return f"{self.prefix.strip('/')}/{store}/"

    @contextmanager
    def _client(self) -> Iterator[Any]:  # Any: boto3 makes its clients when it runs
        try:
            with self._trusted() as authority:
                yield self._made_client(authority)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            raise BackupError(f"{self._where()} refuses: {_REASONS.get(code, f'{error}{self._hint}')}") from None
        except (BotoCoreError, Boto3Error) as error:
            raise BackupError(f"{self._where()} cannot be used: {_said(error)}{self._hint}") from None

    @property
    def _hint(self) -> str:
        """Likely cause of what has no name: stores without a key service answer with errors of all kinds."""
        if not self.encryption:
            return ""
        return f"; uploads ask for the encryption {self.encryption}: if it has no key service, {_CURE}"

    @contextmanager
    def _trusted(self) -> Iterator[str | None]:
        """Path of a file with the private CA, which boto3 wants; None for public CAs."""
        if not self.authority:
            yield None
            return
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".crt") as file:
            file.write(self.authority)
            file.flush()
            yield file.name

    def _made_client(self, authority: str | None) -> Any:  # Any: as above
        return boto3.client(
            "s3",
            verify=authority,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"total_max_attempts": _TRIES, "mode": "standard"},
                # Names of buckets are no host names everywhere.
                s3={"addressing_style": "path"},
                # boto3's default adds a checksum trailer, which several S3 stores refuse. What is stored is verified by
                # the checksums in our manifest.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def _where(self) -> str:
        return f"the object store {self.endpoint} (bucket {self.bucket})"


def _said(error: Exception) -> str:
    text = str(error)
    for code, reason in _REASONS.items():
        if f"({code})" in text:
            return reason
    return text
