"""Check that a Docker engine answers, without any Docker program."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_HOST = "unix:///var/run/docker.sock"
PING_SECONDS = 1
DEFAULT_TCP_PORT = 2375
DEFAULT_TLS_PORT = 2376


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def docker_answers(environment: Mapping[str, str]) -> bool:
    """Tell whether the engine named by DOCKER_HOST, or the usual local one, answers a ping within one second.

    An engine behind ssh:// is not asked and counts as one that does not answer.
    """
    connection = None
    try:
        connection = _connection(environment)
        if connection is None:
            return False
        connection.request("GET", "/_ping")
        return connection.getresponse().status == http.client.OK
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        if connection is not None:
            connection.close()


def _connection(environment: Mapping[str, str]) -> http.client.HTTPConnection | None:
    host = urlsplit(environment.get("DOCKER_HOST") or DEFAULT_HOST)
    if host.scheme == "unix":
        return _UnixConnection(host.path, PING_SECONDS)
    if host.scheme not in {"tcp", "http", "https"} or host.hostname is None:
        return None
    if environment.get("DOCKER_TLS_VERIFY") or host.scheme == "https":
        context = _tls_context(Path(environment.get("DOCKER_CERT_PATH") or Path.home() / ".docker"))
        port = host.port or DEFAULT_TLS_PORT
        return http.client.HTTPSConnection(host.hostname, port, timeout=PING_SECONDS, context=context)
    return http.client.HTTPConnection(host.hostname, host.port or DEFAULT_TCP_PORT, timeout=PING_SECONDS)


def _tls_context(directory: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(directory / "ca.pem"))
    context.load_cert_chain(str(directory / "cert.pem"), str(directory / "key.pem"))
    return context
