"""Wait for the network of a pod that has just started: its NetworkPolicies come a moment after its first packet."""

import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

_SECONDS = 5.0
"""How long a command waits in all. On three nodes with kube-router a new pod was refused for up to 1.2 s."""

_TRY_SECONDS = 1.0
_PAUSE_SECONDS = 0.1
_HTTPS_PORT, _NATS_PORT = 443, 4222


def addresses(found: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Host and TCP port of everything that the variables of a pod name: its store, and the bucket."""
    host = found.get("PGHOST", "")
    if host and not host.startswith("/"):
        yield host, int(found.get("PGPORT", "5432"))
    for name in dict.fromkeys(f"{found.get('REDIS_HOST', '')} {found.get('REDIS_HOSTS', '')}".split()):
        yield name, int(found.get("REDIS_PORT", "6379"))
    # The client of NATS takes several servers, separated by commas.
    servers = [(url.strip(), _NATS_PORT) for url in found.get("NATS_URL", "").split(",")]
    for url, port in (*servers, (found.get("S3_ENDPOINT", ""), _HTTPS_PORT)):
        parts = urlsplit(url)
        if parts.hostname:
            yield parts.hostname, parts.port or port


def wait(wanted: Iterable[tuple[str, int]], seconds: float = _SECONDS) -> None:
    """Wait until all addresses take a connection, or the time is over: then the clients say best what is wrong."""
    deadline = time.monotonic() + seconds
    for address in wanted:
        while not _answers(address) and time.monotonic() < deadline:
            time.sleep(_PAUSE_SECONDS)


def _answers(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, timeout=_TRY_SECONDS):
            return True
    except OSError:
        return False
