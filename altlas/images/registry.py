"""Digest of a tag in its registry. Uses no credentials, only anonymous tokens."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from altlas.images.errors import ImageRefusedError

Resolver = Callable[[str, str], str]
"""Digest of a repository's tag."""

_TIMEOUT_SECONDS = 10
_UNAUTHORIZED = 401
_MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_DEFAULT_REGISTRY = "registry-1.docker.io"


def digest_of_tag(repository: str, tag: str) -> str:
    """Digest of a tag, from the registry of its repository.

    Raises:
        ImageRefusedError: The registry cannot be reached, has no such tag, or does not return its digest.
    """
    host, path = _place(repository)
    scheme = "http" if host.startswith(("127.0.0.1:", "localhost:")) else "https"
    url = f"{scheme}://{host}/v2/{path}/manifests/{tag}"
    try:
        digest = _digest(url, None)
    except urllib.error.HTTPError as error:
        raise ImageRefusedError(f"the registry {host} answers {error.code} for {repository}:{tag}") from None
    except OSError as error:
        raise ImageRefusedError(
            f"the registry {host} cannot be reached for the digest of {repository}:{tag}: {error}"
        ) from None
    if not digest:
        raise ImageRefusedError(f"the registry {host} returns no digest of {repository}:{tag}")
    return digest


def _place(repository: str) -> tuple[str, str]:
    first, _, rest = repository.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return (_DEFAULT_REGISTRY if first.endswith("docker.io") else first), rest
    return _DEFAULT_REGISTRY, repository if rest else f"library/{repository}"


def _digest(url: str, token: str | None) -> str | None:
    headers = {"Accept": ", ".join(_MEDIA_TYPES)} | ({"Authorization": f"Bearer {token}"} if token else {})
    # The scheme is http or https.
    request = urllib.request.Request(url, headers=headers, method="HEAD")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            found: str | None = answer.headers.get("Docker-Content-Digest")
            return found
    except urllib.error.HTTPError as error:
        challenge = error.headers.get("WWW-Authenticate", "")
        if error.code == _UNAUTHORIZED and token is None and challenge.startswith("Bearer "):
            return _digest(url, _anonymous_token(challenge))
        raise


def _anonymous_token(challenge: str) -> str:
    parts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = parts.pop("realm", "")
    if not realm.startswith("https://"):
        raise OSError(f"the registry wants a token from {realm or 'an unnamed realm'}")
    with urllib.request.urlopen(f"{realm}?{urlencode(parts)}", timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
        document: dict[str, Any] = json.load(answer)
    return str(document.get("token") or document.get("access_token") or "")
