"""TLS proxy on loopback before an API server, which injects faults at a given rate.

Owns the faults, their dice and their counts. Does not own the cluster behind it. Requests come as HTTP/1.1, one thread
a connection; the proxy is an administrator of the cluster, so what it lets through is not judged again.
"""

import random
import re
import ssl
import threading
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from http.client import HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep
from typing import Any
from urllib.parse import urlsplit

import yaml

from cluster.certificates import CertificateAuthority, CertificateRequest
from cluster.kubeconfig import render_kubeconfig
from tests.support.own_cluster import OwnCluster

LATENCY_SECONDS = 0.3
WATCH = re.compile(r"[?&]watch=(1|true)\b")


class Fault(StrEnum):
    """Answers that an API server, or the network before it, may give."""

    TOO_MANY_REQUESTS = "429"
    ERROR = "500"
    UNAVAILABLE = "503"
    LATENCY = "latency"
    RESET_BEFORE = "reset before the request was read"
    RESET_AFTER = "reset after the request was done"


_REFUSALS = {Fault.TOO_MANY_REQUESTS: 429, Fault.ERROR: 500, Fault.UNAVAILABLE: 503}
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"})


@dataclass
class Dice:
    """Choice of the requests that meet a fault, the same for the same seed and order of requests.

    Attributes:
        rate: Share of requests, from 0 to 1.
        kinds: Faults, all equally likely.
        seed: Start of the random numbers.
        injected: Faults so far, reads and writes apart.
    """

    rate: float
    kinds: tuple[Fault, ...] = tuple(Fault)
    seed: int = 0
    injected: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Seed."""
        self._random = random.Random(self.seed)  # noqa: S311  # generates tests, no secrets
        self._one_at_a_time = threading.Lock()

    def throw(self, method: str) -> Fault | None:
        """Fault that this request meets, if any."""
        with self._one_at_a_time:
            if self._random.random() >= self.rate:
                return None
            fault = self._random.choice(self.kinds)
            self.injected["read" if method == "GET" else "write", fault] += 1
            return fault


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: tuple[str, int], to_upstream: ssl.SSLContext, own: ssl.SSLContext) -> None:
        self.upstream, self.to_upstream, self.own = upstream, to_upstream, own
        self.dice = Dice(0)
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: object, client_address: object) -> None:
        try:
            # In the connection's own thread: a slow handshake keeps no other client waiting.
            super().finish_request(self.own.wrap_socket(request, server_side=True), client_address)  # type: ignore[arg-type]
        except OSError:
            return

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: a client that goes away is no fault of this server."""


class _Handler(BaseHTTPRequestHandler):
    server: _Proxy
    protocol_version = "HTTP/1.1"
    timeout = 600
    disable_nagle_algorithm = True
    _connection: HTTPSConnection | None = None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # name of the standard library
        """Print nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.dice.throw(self.command)
        if fault is Fault.RESET_BEFORE:
            self.close_connection = True
        elif fault in _REFUSALS:
            self._refuse(_REFUSALS[fault])
        else:
            if fault is Fault.LATENCY:
                sleep(LATENCY_SECONDS)
            answer = self._forward(body)
            if fault is Fault.RESET_AFTER:
                if not WATCH.search(self.path):  # it would end with the watch, half an hour later
                    answer.read()
                self.close_connection = True
            else:
                self._pass_on(answer)

    def _forward(self, body: bytes) -> HTTPResponse:
        if self._connection is None:
            host, port = self.server.upstream
            self._connection = HTTPSConnection(host, port, context=self.server.to_upstream, timeout=self.timeout)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        self._connection.request(self.command, self.path, body or None, headers)
        return self._connection.getresponse()

    def _refuse(self, code: int) -> None:
        # As a proxy before an API server, or its own limit of requests, answers: without a Status object.
        content = b"injected"
        self.send_response(code)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(content)))
        if code == HTTPStatus.TOO_MANY_REQUESTS:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(content)

    def _pass_on(self, answer: HTTPResponse) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while content := answer.read1(1 << 16):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content) if answer.chunked else content)
            self.wfile.flush()
        # Only this tells the connection that it is free for the next request.
        answer.read()
        if answer.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def finish(self) -> None:
        if self._connection is not None:
            self._connection.close()
        super().finish()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815  # names of the library


@dataclass(frozen=True)
class FaultyApiServer:
    """Running proxy.

    Attributes:
        kubeconfig: A cluster of the same name, reached through the proxy.
    """

    kubeconfig: Path
    _proxy: _Proxy

    @contextmanager
    def faults(self, dice: Dice) -> Iterator[Dice]:
        """Inject faults until the block ends."""
        self._proxy.dice = dice
        try:
            yield dice
        finally:
            self._proxy.dice = Dice(0)


@contextmanager
def faulty_api_server(cluster: OwnCluster, folder: Path) -> Iterator[FaultyApiServer]:
    """A proxy before the cluster until the end of the block; it injects nothing until `faults` is entered."""
    known = yaml.safe_load(cluster.kubeconfig.read_text())
    address = urlsplit(known["clusters"][0]["cluster"]["server"])
    authority = CertificateAuthority(folder, "authority", "faults")
    files = authority.ensure(CertificateRequest("proxy", "proxy", server_names=("127.0.0.1",)))
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(files.certificate, files.key)
    proxy = _Proxy((str(address.hostname), int(address.port or 443)), _as_administrator(known, folder), own)
    kubeconfig = folder / "kubeconfig"
    server = f"https://127.0.0.1:{proxy.server_address[1]}"
    name = known["current-context"]
    kubeconfig.write_text(render_kubeconfig(name, server, authority.files.certificate, files))
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield FaultyApiServer(kubeconfig, proxy)
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


def _as_administrator(known: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    """TLS to the API server with the credentials of a self-contained kubeconfig."""
    user, server = known["users"][0]["user"], known["clusters"][0]["cluster"]
    pair = folder / "administrator.pem"
    pair.touch(mode=0o600)
    pair.write_bytes(b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"]))
    context = ssl.create_default_context(cadata=b64decode(server["certificate-authority-data"]).decode())
    context.load_cert_chain(pair)
    return context
