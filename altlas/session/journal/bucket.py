"""Objects of a bucket, with the methods of `pathlib.Path` that a state needs: S3, Google Cloud Storage, Azure Blobs.

Owns access to the bucket that PULUMI_BACKEND_URL names, with the addresses, credentials and query parameters that
Pulumi's CLI takes from there and from the environment. Does not own which objects a state has (`state_files`). The
library is loaded when a bucket is opened, so that states in files do not pay for it.
"""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlparse

from rendering.errors import CommandError

if TYPE_CHECKING:
    from obstore import UpdateVersion
    from obstore.store import ObjectStore

REQUEST_SECONDS = 30
"""Longest time of one request, and of its repetitions after a failure."""

_REPETITIONS = 5
_S3 = {
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
}
_GOOGLE = {"service_account_key": "GOOGLE_CREDENTIALS", "application_credentials": "GOOGLE_APPLICATION_CREDENTIALS"}
_AZURE = {
    "account_name": "AZURE_STORAGE_ACCOUNT",
    "account_key": "AZURE_STORAGE_KEY",
    "sas_key": "AZURE_STORAGE_SAS_TOKEN",
    "client_id": "AZURE_CLIENT_ID",
    "client_secret": "AZURE_CLIENT_SECRET",
    "tenant_id": "AZURE_TENANT_ID",
    "federated_token_file": "AZURE_FEDERATED_TOKEN_FILE",
}
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_DEFAULT_REGION = "us-east-1"
SCHEMES = frozenset({"s3", "gs", "azblob"})
"""Schemes of PULUMI_BACKEND_URL that name a bucket."""


@dataclass(frozen=True)
class BucketPath:
    """Key of an object, or the beginning of keys as a folder is that of paths. A write is whole and durable.

    Every method raises OSError if the bucket cannot be reached or refuses, FileNotFoundError if there is no such
    object.

    Attributes:
        store: The bucket.
        url: Its address, without parameters.
        key: Name of the object.
    """

    store: "ObjectStore" = field(compare=False, repr=False)
    url: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.url}/{self.key}"

    def __lt__(self, other: "BucketPath") -> bool:
        return self.key < other.key

    def __truediv__(self, name: str) -> "BucketPath":
        return BucketPath(self.store, self.url, f"{self.key}/{name}" if self.key else name)

    @property
    def name(self) -> str:
        """Part of the key after the last slash."""
        return self.key.rpartition("/")[2]

    def with_name(self, name: str) -> "BucketPath":
        """Another object beside this one."""
        folder, slash, _ = self.key.rpartition("/")
        return BucketPath(self.store, self.url, f"{folder}{slash}{name}")

    def exists(self) -> bool:
        """True if there is such an object."""
        try:
            self.modified()
        except FileNotFoundError:
            return False
        return True

    def modified(self) -> datetime:
        """Time of the last write, by the bucket's clock."""
        with self._as_os_errors():
            return self.store.head(self.key)["last_modified"]

    def read_bytes(self) -> bytes:
        """Content of the object."""
        with self._as_os_errors():
            return bytes(self.store.get(self.key).bytes())

    def read_version(self) -> "tuple[bytes, UpdateVersion]":
        """Content of the object, and the version that `write_over` needs."""
        with self._as_os_errors():
            found = self.store.get(self.key)
            content, meta = bytes(found.bytes()), found.meta
        version: UpdateVersion = {}
        # A library for all buckets: some know an object's version by one of the two, some by both.
        if meta["e_tag"] is not None:
            version["e_tag"] = meta["e_tag"]
        if meta["version"] is not None:
            version["version"] = meta["version"]
        return content, version

    def write_over(self, version: "UpdateVersion | None", content: bytes) -> bool:
        """Write the object if it is of this version; False, and nothing is written, if another writer was first.

        Args:
            version: The version that was read; None for an object that must not exist yet.
            content: The new content.
        """
        from obstore import exceptions  # noqa: PLC0415  # loaded with the store

        with self._as_os_errors():
            try:
                self.store.put(self.key, content, mode="create" if version is None else version, use_multipart=False)
            except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
                return False
        return True

    def write_bytes(self, content: bytes) -> None:
        """Write the object as a whole; it is stored when this returns."""
        with self._as_os_errors():
            self.store.put(self.key, content, use_multipart=False)

    def copy_to(self, other: "BucketPath") -> None:
        """Copy the object within the bucket."""
        with self._as_os_errors():
            self.store.copy(self.key, other.key)

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Delete the object; one that is missing is no error, as in the buckets themselves."""
        del missing_ok
        with self._as_os_errors():
            self.store.delete(self.key)

    def glob(self, pattern: str) -> Iterator["BucketPath"]:
        """Objects directly below this one whose names match."""
        with self._as_os_errors():
            listed = self.store.list_with_delimiter(f"{self.key}/")["objects"]
        # Some servers and consoles list the folder itself, as an empty object.
        found = (self / one["path"].rpartition("/")[2] for one in listed if one["path"] != self.key)
        return (one for one in found if fnmatchcase(one.name, pattern))

    @contextmanager
    def _as_os_errors(self) -> Iterator[None]:
        from obstore.exceptions import BaseError  # noqa: PLC0415  # loaded with the store

        try:
            yield
        except FileNotFoundError as error:
            raise FileNotFoundError(errno.ENOENT, _first_line(error), str(self)) from error
        except BaseError as error:
            raise OSError(errno.EIO, _first_line(error), str(self)) from error


StatePath = Path | BucketPath
"""Place of a file of the state: in a folder, or in a bucket."""


def is_bucket(url: str) -> bool:
    """True if a value of PULUMI_BACKEND_URL names a bucket."""
    return urlparse(url).scheme in SCHEMES


def open_bucket(url: str, environment: Mapping[str, str]) -> BucketPath:
    """The bucket of a state; no request is sent yet.

    Args:
        url: Value of PULUMI_BACKEND_URL.
        environment: Environment of the CLI.

    Raises:
        CommandError: The address or the credentials are not complete.
    """
    known = {*_S3.values(), *_GOOGLE.values(), *_AZURE.values(), *_REGIONS, *_ENDPOINTS, "AWS_PROFILE", "AWS_CA_BUNDLE"}
    return _opened(url, frozenset((name, value) for name, value in environment.items() if name in known and value))


@lru_cache(maxsize=4)
def _opened(url: str, variables: frozenset[tuple[str, str]]) -> BucketPath:
    from obstore import store  # noqa: PLC0415  # only states in buckets pay for it

    parsed, environment = urlparse(url), dict(variables)
    query = {name: values[-1] for name, values in parse_qs(parsed.query).items()}
    options: dict[str, Any] = {
        "prefix": parsed.path.strip("/") or None,
        "retry_config": {"max_retries": _REPETITIONS, "retry_timeout": timedelta(seconds=REQUEST_SECONDS)},
    }
    client: dict[str, Any] = {"timeout": timedelta(seconds=REQUEST_SECONDS)}
    try:
        opened: ObjectStore
        match parsed.scheme:
            case "s3":
                config = _s3(query, environment, client)
                opened = store.S3Store(parsed.netloc, client_options=client, **options, **config)  # type: ignore[arg-type]
            case "gs":
                opened = store.GCSStore(parsed.netloc, client_options=client, **options, **_given(_GOOGLE, environment))  # type: ignore[arg-type]
            case _:
                config = _azure(query, environment, client)
                opened = store.AzureStore(parsed.netloc, client_options=client, **options, **config)  # type: ignore[arg-type]
    except Exception as error:
        raise CommandError(
            f"cannot open the state's bucket {url.partition('?')[0]}: {_first_line(error)}. Give its address and "
            "credentials as for plain Pulumi; see docs/operating.md. Nothing was changed"
        ) from error
    return BucketPath(opened, f"{parsed.scheme}://{parsed.netloc}{parsed.path.rstrip('/')}")


def _given(names: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, Any]:
    return {key: environment[variable] for key, variable in names.items() if variable in environment}


def _s3(query: Mapping[str, str], environment: Mapping[str, str], client: dict[str, Any]) -> dict[str, Any]:
    """Configuration of S3 and its compatible servers."""
    config = _given(_S3, environment)
    profile = query.get("profile") or environment.get("AWS_PROFILE")
    if profile or "access_key_id" not in config:
        import boto3  # type: ignore[import-untyped] # noqa: PLC0415  # profiles, single sign-on, roles of machines
        from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415

        provider = Boto3CredentialProvider(boto3.Session(profile_name=profile))
        config = {"credential_provider": provider, **provider.config}
    region = query.get("region") or next((environment[name] for name in _REGIONS if name in environment), None)
    config["region"] = region or config.get("region") or _DEFAULT_REGION
    endpoint = query.get("endpoint") or next((environment[name] for name in _ENDPOINTS if name in environment), None)
    if endpoint:
        plain = _is_true(query, "disableSSL", "disable_https")
        config["endpoint"] = endpoint if "://" in endpoint else f"{'http' if plain else 'https'}://{endpoint}"
        client["allow_http"] = config["endpoint"].startswith("http://")
    if not endpoint or _is_true(query, "s3ForcePathStyle", "use_path_style"):
        config["virtual_hosted_style_request"] = not _is_true(query, "s3ForcePathStyle", "use_path_style")
    if environment.get("AWS_CA_BUNDLE"):
        client["root_certificate"] = Path(environment["AWS_CA_BUNDLE"]).read_bytes()
    return config


def _azure(query: Mapping[str, str], environment: Mapping[str, str], client: dict[str, Any]) -> dict[str, Any]:
    """Configuration of Azure; without a key or a token, that of the machine or of `az login`."""
    config = _given(_AZURE, environment)
    if query.get("storage_account"):
        config["account_name"] = query["storage_account"]
    if query.get("domain"):
        protocol = query.get("protocol", "https")
        host, local = query["domain"], _is_true(query, "localemu")
        account = config.get("account_name", "")
        config["endpoint"] = f"{protocol}://{host}/{account}" if local else f"{protocol}://{account}.{host}"
        client["allow_http"] = protocol == "http"
    if not {"account_key", "sas_key", "client_id"} & config.keys():
        config["use_azure_cli"] = True
    return config


def _is_true(query: Mapping[str, str], *names: str) -> bool:
    return any(query.get(name, "").lower() in ("true", "1") for name in names)


def _first_line(error: Exception) -> str:
    """First line of a message; the library's own debugging output follows it."""
    return str(error).strip().partition("\n")[0]
