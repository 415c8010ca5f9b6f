"""HTTP servers of tests on loopback: a port, a thread, an end. Does not own what a server answers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

_POLL_SECONDS = 0.01


class QuietHandler(BaseHTTPRequestHandler):
    """Handler of requests that prints nothing."""

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the name of the base class
        """Print nothing."""


class PingedEngine(QuietHandler):
    """A Docker engine as far as a ping goes; everything else is unknown to it."""

    def do_GET(self) -> None:
        """Answer a ping."""
        self.send_response(200 if self.path == "/_ping" else 404)
        self.end_headers()


@contextmanager
def http_server(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Answer by a handler until the block ends, each request in its own thread; gives the TCP port."""
    with running_server(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as port:
        yield port


@contextmanager
def running_server(server: HTTPServer) -> Iterator[int]:
    """Run a server until the block ends; gives the TCP port."""
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
