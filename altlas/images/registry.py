"""Manifests in registries: digest of a tag, and platforms of an image. Reads only; no layer is downloaded.

Owns the requests and where credentials go: to the registry that they name, and to the address for tokens that it names.
Does not own credentials, nor what an answer means for a stack. Raises `OSError` (`HTTPError` with a code).
"""

import base64
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from altlas.images.errors import ImageRefusedError

Resolver = Callable[[str, str], str]
"""Digest of a repository's tag."""

_TIMEOUT_SECONDS = 10
_UNAUTHORIZED = 401
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_DEFAULT_REGISTRY = "registry-1.docker.io"
_LOOPBACK = ("127.0.0.1:", "localhost:")


@dataclass(frozen=True)
class Login:
    """Credentials of a registry; never shown.

    Attributes:
        user: Name of the user.
        password: Password or token of the user.
    """

    user: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """Value of the header Authorization."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"


@dataclass(frozen=True)
class Place:
    """A repository at its registry.

    Attributes:
        host: Host of the registry, with its port where it has one.
        path: Path of the repository there.
    """

    host: str
    path: str

    def url(self, kind: str, reference: str) -> str:
        """Address of a manifest or a blob."""
        scheme = "http" if self.host.startswith(_LOOPBACK) else "https"
        return f"{scheme}://{self.host}/v2/{self.path}/{kind}/{reference}"


def place_of(repository: str) -> Place:
    """Registry of a repository; Docker Hub where it names none, as container runtimes do."""
    first, _, rest = repository.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return Place(_DEFAULT_REGISTRY if first.endswith("docker.io") else first, rest)
    return Place(_DEFAULT_REGISTRY, repository if rest else f"library/{repository}")


def digest_of_tag(repository: str, tag: str) -> str:
    """Digest of a tag, from the registry of its repository, without credentials.

    Raises:
        ImageRefusedError: The registry cannot be reached, has no such tag, or does not return its digest.
    """
    place = place_of(repository)
    host = place.host
    try:
        answer = _answer(place.url("manifests", tag), "HEAD", None)
    except urllib.error.HTTPError as error:
        raise ImageRefusedError(f"the registry {host} answers {error.code} for {repository}:{tag}") from None
    except OSError as error:
        raise ImageRefusedError(
            f"the registry {host} cannot be reached for the digest of {repository}:{tag}: {error}"
        ) from None
    if not answer.digest:
        raise ImageRefusedError(f"the registry {host} returns no digest of {repository}:{tag}")
    return answer.digest


def platforms(place: Place, reference: str, login: Login | None) -> frozenset[str]:
    """Platforms of an image, such as `linux/amd64`.

    Args:
        place: Its repository.
        reference: Its tag or digest.
        login: Credentials, or None for an anonymous request.

    Raises:
        OSError: The registry cannot be reached, or refuses (`HTTPError`).
        ValueError: It answers with something else than a manifest.
    """
    document = _answer(place.url("manifests", reference), "GET", login).document
    try:
        found = (
            [each.get("platform") or {} for each in document["manifests"]]
            if "manifests" in document
            else [_answer(place.url("blobs", document["config"]["digest"]), "GET", login).document]
        )
        named = frozenset(f"{each['os']}/{each['architecture']}" for each in found if each)
    except (KeyError, TypeError, AttributeError):
        raise ValueError("the answer is no manifest of an image") from None
    # Attestations in an index are for no platform.
    return named - {"unknown/unknown"}


@dataclass(frozen=True)
class _Answer:
    digest: str | None
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.body)
        except ValueError:
            raise ValueError("the answer is no JSON") from None
        return found


def _answer(url: str, method: str, login: Login | None, authorization: str | None = None) -> _Answer:
    # The scheme is http or https.
    request = urllib.request.Request(url, headers={"Accept": ", ".join((*_INDEXES, *_MANIFESTS))}, method=method)  # noqa: S310
    if authorization:
        # A redirect leads to another host, which must not get it.
        request.add_unredirected_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            return _Answer(answer.headers.get("Docker-Content-Digest"), answer.read())
    except urllib.error.HTTPError as error:
        challenge = error.headers.get("WWW-Authenticate", "")
        if error.code != _UNAUTHORIZED or authorization is not None:
            raise
        if challenge.startswith("Bearer "):
            return _answer(url, method, login, f"Bearer {_token(challenge, login)}")
        if login and challenge.startswith("Basic "):
            return _answer(url, method, login, login.header)
        raise


def _token(challenge: str, login: Login | None) -> str:
    parts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = parts.pop("realm", "")
    if not realm.startswith(("https://", *(f"http://{host}" for host in _LOOPBACK))):
        raise OSError(f"the registry wants a token from {realm or 'an unnamed realm'}")
    request = urllib.request.Request(f"{realm}?{urlencode(parts)}")  # noqa: S310
    if login:
        request.add_unredirected_header("Authorization", login.header)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
        document: dict[str, Any] = json.load(answer)
    return str(document.get("token") or document.get("access_token") or "")
