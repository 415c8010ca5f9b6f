"""Figures that a real Prometheus scrapes: an exporter whose answers the tests set, in place of the services' pods."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import yaml

import tools
from components.traffic.observers import CANARY_APPROVALS_PORT
from tests.data.approvals import approvals_program
from tests.support.http_server import QuietHandler, http_server
from tests.support.loopback import Process, addresses, answers, fresh, wait_until

_HISTOGRAM = "http_request_duration_ms"
_BOUNDS = ("100", "200", "400", "+Inf")
_PORT = 9090


@dataclass(frozen=True)
class Figures:
    """Answers of some pods.

    Attributes:
        rate: Requests per second.
        errors: Share of the answers with a server error.
        slow: Share of the answers that take between 200 and 400 ms; the others take up to 100.
    """

    rate: float = 40
    errors: float = 0
    slow: float = 0


@dataclass
class Pods:
    """Counters of some pods, which go on by their figures; None for pods that export nothing."""

    figures: Figures | None = Figures()
    fast_ok: float = 0
    slow_ok: float = 0
    failed: float = 0
    since: float = field(default_factory=time.monotonic)

    def take(self, figures: Figures | None) -> None:
        """Go on with other figures."""
        self.advance()
        self.figures = figures

    def advance(self) -> None:
        """Count the requests since the last time."""
        now = time.monotonic()
        passed, self.since = now - self.since, now
        if self.figures is not None:
            requests = passed * self.figures.rate
            self.failed += requests * self.figures.errors
            self.slow_ok += requests * self.figures.slow
            self.fast_ok += requests * (1 - self.figures.errors - self.figures.slow)

    def text(self) -> str:
        """Metrics in Prometheus' format."""
        self.advance()
        lines = [*_series("200", self.fast_ok, self.slow_ok), *_series("500", self.failed, 0)]
        return "".join(f"{line}\n" for line in lines)


def _series(code: str, fast: float, slow: float) -> Iterator[str]:
    for bound, count in zip(_BOUNDS, (fast, fast, fast + slow, fast + slow), strict=True):
        yield f'{_HISTOGRAM}_bucket{{code="{code}",le="{bound}"}} {count}'
    yield f'{_HISTOGRAM}_count{{code="{code}"}} {fast + slow}'


@dataclass(frozen=True)
class Measured:
    """Prometheus and what it sees.

    Attributes:
        pods: Counters by the name of the Service that leads to the pods.
        prometheus: The server.
        proxy: Address that answers for the stack's Prometheus, and for its pod of approvals, as a proxy of HTTP.
        approvals: Address of that pod's program.
        asked: Hosts that were asked for through the proxy.
    """

    pods: Mapping[str, Pods]
    prometheus: Process
    proxy: str
    approvals: str
    asked: set[str]

    def set(self, service: str, figures: Figures | None) -> None:
        """Let the pods behind a Service answer so from now on."""
        with _LOCK:
            self.pods[service].take(figures)


_LOCK = threading.Lock()


@contextmanager
def measured(folder: Path, services: tuple[str, ...], namespace: str) -> Iterator[Measured]:
    """A Prometheus that scrapes each service's pods and those of its new release, until the block ends.

    Args:
        folder: Empty folder for its data.
        services: Names of the Services.
        namespace: Namespace of the stack, as the label of every series.
    """
    pods = {name: Pods() for service in services for name in (service, f"{service}-canary")}
    address, approving = addresses(2, (_PORT, CANARY_APPROVALS_PORT))
    asked: set[str] = set()
    with http_server(_exporter(pods)) as port, http_server(_proxy(address, approving, asked)) as proxy:
        file = folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(_configuration(pods, port, namespace)))
        program = str(tools.ensure(["prometheus"]).path("prometheus"))
        options = (f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}")
        listen = f"--web.listen-address={address}:{_PORT}"
        server = Process((program, *options, listen), folder, "prometheus")
        approvals = approvals_program(fresh(folder / "approvals"), approving)
        server.start()
        approvals.start()
        try:
            wait_until(lambda: answers(address, _PORT), "Prometheus answers", 60)
            yield Measured(pods, server, f"http://127.0.0.1:{proxy}", f"{approving}:{CANARY_APPROVALS_PORT}", asked)
        finally:
            server.kill()
            approvals.kill()


def _configuration(pods: Mapping[str, Pods], port: int, namespace: str) -> dict[str, object]:
    jobs = [
        {
            "job_name": name,
            "metrics_path": f"/{name}",
            "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": {"namespace": namespace, "service": name}}],
        }
        for name in pods
    ]
    return {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}


def _exporter(pods: Mapping[str, Pods]) -> type[QuietHandler]:
    class Exporter(QuietHandler):
        def do_GET(self) -> None:
            """Metrics of the pods behind the Service that the path names; none where they export nothing."""
            with _LOCK:
                found = pods[self.path.removeprefix("/")]
                text = None if found.figures is None else found.text()
            self.send_response(404 if text is None else 200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write((text or "").encode())

    return Exporter


def _proxy(address: str, approving: str, asked: set[str]) -> type[QuietHandler]:
    class Proxy(QuietHandler):
        def do_GET(self) -> None:
            """Pass a request for any host on to Prometheus: nothing here resolves the names of a cluster."""
            self._pass_on("GET", address, _PORT)

        def do_POST(self) -> None:
            """Pass a question for an approval on."""
            self._pass_on("POST", approving, CANARY_APPROVALS_PORT)

        def _pass_on(self, method: str, host: str, port: int) -> None:
            url = urlsplit(self.path)
            asked.add(url.netloc)
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                connection = HTTPConnection(host, port, timeout=5)
                connection.request(method, f"{url.path}?{url.query}", content or None)
                answer = connection.getresponse()
                status, content = answer.status, answer.read()
            except OSError:
                status, content = 502, b"it does not answer"
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content)

    return Proxy
