"""A registry on loopback that answers as a test says: manifests, refusals, silence, and tokens for those who log in."""

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.support.http_server import QuietHandler, http_server

INDEX = {"manifests": [{"platform": {"os": "linux", "architecture": each}} for each in ("amd64", "arm64", "unknown")]}
INDEX["manifests"][-1]["platform"]["os"] = "unknown"
SINGLE = {"config": {"digest": "sha256:1"}}
CONFIGURATION = {"os": "linux", "architecture": "arm64"}
TOKEN = "issued-token"  # of this server only


@dataclass
class Registry:
    """Images that it has, and users whom it lets in.

    Attributes:
        documents: Answers by path below /v2/; a number is a status, None is silence.
        login: User and password that it wants, or None.
        challenge: `Bearer` for tokens, `Basic` for the login itself.
        host: Its host and port.
        asked: Paths, each with the header Authorization that came with it.
    """

    documents: Mapping[str, Any]
    login: str | None = None
    challenge: str = "Bearer"
    host: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def basic(self) -> str:
        """Header of the login."""
        return f"Basic {base64.b64encode((self.login or '').encode()).decode()}"

    def answer(self, path: str, authorization: str) -> tuple[int, Any]:
        """Status and document."""
        if path == "token":
            return (200, {"token": TOKEN}) if authorization == self.basic else (401, {})
        wanted = f"Bearer {TOKEN}" if self.challenge == "Bearer" else self.basic
        if self.login and authorization != wanted:
            return 401, {}
        found = self.documents.get(path, 404)
        return (found, {}) if isinstance(found, int) else (200, found)


@contextmanager
def serving(registry: Registry, silence_seconds: float = 5) -> Iterator[Registry]:
    """Serve while the block runs."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path.removeprefix("/v2/").removeprefix("/")
            authorization = self.headers.get("Authorization", "")
            registry.asked.append((path, authorization))
            status, document = registry.answer(path, authorization)
            if document is None:
                time.sleep(silence_seconds)
            content = json.dumps(document).encode()
            self.send_response(status)
            if status == 401:
                realm = f'Bearer realm="http://{registry.host}/token",service="loopback"'
                self.send_header("WWW-Authenticate", realm if registry.challenge == "Bearer" else "Basic realm=x")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with http_server(Handler) as port:
        registry.host = f"127.0.0.1:{port}"
        yield registry
