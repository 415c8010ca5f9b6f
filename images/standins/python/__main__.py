"""Stand-in for segmentation-service and ai-orchestrator: health, JSON logs, clean exit on SIGTERM. Not a product."""

import json
import os
import resource
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_HOST = os.environ.get("HOST", "0.0.0.0")  # noqa: S104  # inside a container
_PORT = int(os.environ["PORT"])
_STORE = os.environ.get("DATABASE_URL") if os.environ.get("CHECK_STORES") == "true" else None
_STORE_TIMEOUT_SECONDS = 2


def log(message: str) -> None:
    """Write one line of JSON to standard output."""
    line = {"level": "info", "message": message, "port": _PORT, "time": time.time()}
    print(json.dumps(line), flush=True)


def store_answers() -> bool:
    """True if the database accepts connections; true where nobody asked to check it."""
    if _STORE is None:
        return True
    address = urlsplit(_STORE)
    try:
        socket.create_connection((address.hostname or "", address.port or 5432), _STORE_TIMEOUT_SECONDS).close()
    except OSError:
        return False
    return True


class Server(ThreadingHTTPServer):
    """A thread for each connection."""

    # Python's default of 5 lets the kernel drop connections of a burst, which come again a second later.
    request_queue_size = 128


class Handler(BaseHTTPRequestHandler):
    """Answers the paths that the services answer."""

    protocol_version = "HTTP/1.1"  # keeps connections open, as the services' own servers do

    def do_GET(self) -> None:
        """Answer health and memory figures."""
        if self.path == "/health":
            healthy = store_answers()
            self._answer(200 if healthy else 503, {"status": "UP" if healthy else "DOWN"})
        elif self.path == "/memory-stats":
            self._answer(200, {"peak_kibibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss})
        else:
            self._answer(404, {})

    def _answer(self, status: int, document: dict[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # named by the base class
        """Log a request as JSON."""
        log(format % args)


def main() -> None:
    """Serve until SIGTERM."""
    server = Server((_HOST, _PORT), Handler)
    # shutdown() waits for the loop that this handler interrupts, so it needs a thread of its own.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    log(f"listening on {_PORT}")
    server.serve_forever(poll_interval=0.05)
    log("SIGTERM: no new connections")


if __name__ == "__main__":
    main()
