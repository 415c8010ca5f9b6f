"""Stand-in for the kubelet of one node, which the API server asks for the logs of pods."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cluster.certificates import CertificateAuthority, CertificateRequest
from tests.support.http_server import QuietHandler, running_server

NODE = "node-of-the-test"
_STEP_SECONDS = 0.2


@dataclass
class Kubelet:
    """Its address, and what the containers of its pods have printed.

    Attributes:
        address: Where it answers.
        port: TCP port of its answers.
        printed: Lines with their time, by `namespace/pod/container`.
    """

    address: str
    port: int = 0
    printed: dict[str, list[str]] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def prints(self, container: str, line: str) -> None:
        """Let a container print a line, now."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        self.printed.setdefault(container, []).append(f"{moment}.{time.time_ns() % 10**9:09d}Z {line}\n")

    def node(self) -> dict[str, Any]:
        """The node as the API server must know it to find this kubelet."""
        metadata = {"name": NODE, "labels": {"kubernetes.io/os": "linux"}}
        return {"apiVersion": "v1", "kind": "Node", "metadata": metadata}

    def node_status(self) -> str:
        """Node status that says where its kubelet is."""
        addresses = [{"type": "InternalIP", "address": self.address}]
        endpoints = {"kubeletEndpoint": {"Port": self.port}}
        return json.dumps({"status": {"addresses": addresses, "daemonEndpoints": endpoints}})

    def follow(self, container: str) -> Iterator[bytes]:
        """Every line of a container, those to come too, until the end of the test."""
        sent = 0
        while not self._ended.is_set():
            lines = self.printed.get(container, [])
            yield from (line.encode() for line in lines[sent:])
            sent = len(lines)
            self._ended.wait(_STEP_SECONDS)

    def end(self) -> None:
        """Let nobody follow any longer."""
        self._ended.set()


@contextmanager
def kubelet(folder: Path, address: str) -> Iterator[Kubelet]:
    """A kubelet until the end of the block. The API server does not look at whose certificate it shows."""
    state = Kubelet(address)

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            """Answer `/containerLogs/NAMESPACE/POD/CONTAINER`, as long as a client follows."""
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            try:
                for line in state.follow(self.path.partition("?")[0].removeprefix("/containerLogs/")):
                    self.wfile.write(line)
                    self.wfile.flush()
            except OSError:
                return

    pair = CertificateAuthority(folder / "kubelet", "ca", "kubelet-ca").ensure(
        CertificateRequest("kubelet", f"system:node:{NODE}", server_names=(address,))
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server = ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with running_server(server) as state.port:
        try:
            yield state
        finally:
            state.end()
