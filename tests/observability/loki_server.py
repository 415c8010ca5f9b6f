"""A real Loki with a stack's own configuration, on an address of its own."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.observability.logs.loki_configuration import LokiPlace, configuration_file
from components.settings.loki import LokiSettings
from components.traffic.observers import LOKI_PORT
from tests.support.loopback import Process, addresses, fresh, platform_settings, wait_until
from tests.support.programs import program

_GRPC_PORT = 9095
_READY_SECONDS = 120


def loki_of(stack: str) -> LokiSettings:
    """Loki's settings in a stack file."""
    loki = platform_settings(stack).loki
    assert loki is not None
    return loki


def otlp_resource(attributes: Mapping[str, str]) -> dict[str, Any]:
    """Description of a sender by itself, as OTLP has it."""
    return {"attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]}


def otlp_line(attributes: Mapping[str, str], line: str) -> dict[str, Any]:
    """A line of a log that is sent now, as OTLP has it."""
    record = {"timeUnixNano": str(time.time_ns()), "severityText": "ERROR", "body": {"stringValue": line}}
    resource = {"resource": otlp_resource(attributes), "scopeLogs": [{"logRecords": [record]}]}
    return {"resourceLogs": [resource]}


@dataclass(frozen=True)
class Answer:
    """Answer of Loki."""

    status: int
    text: str

    @property
    def document(self) -> Any:
        """The answer as a tree."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Loki:
    """A running server.

    Attributes:
        address: Where it answers.
        process: The server.
    """

    address: str
    process: Process

    def ask(self, path: str, body: Mapping[str, Any] | None = None, **parameters: str) -> Answer:
        """Get, or with a body post, and return the answer whatever its status."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(  # our own server
            f"http://{self.address}:{LOKI_PORT}{path}{query}", data=data, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # our own server
                return Answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode())

    def push(self, labels: Mapping[str, str], line: str, at: int | None = None) -> Answer:
        """Push a line as Alloy does; `at` is in nanoseconds, now when left out."""
        stamp = str(at if at is not None else time.time_ns())
        return self.ask("/loki/api/v1/push", {"streams": [{"stream": dict(labels), "values": [[stamp, line]]}]})

    def push_otlp(self, attributes: Mapping[str, str], line: str) -> Answer:
        """Push a line by OTLP."""
        return self.ask("/otlp/v1/logs", otlp_line(attributes, line))

    def lines(self, query: str) -> list[tuple[dict[str, str], str]]:
        """Labels and text of the lines that a query finds in the last hour."""
        result = self.ask("/loki/api/v1/query_range", query=query).document["data"]["result"]
        return [(stream["stream"], line) for stream in result for _, line in stream["values"]]


def write_configuration(folder: Path, loki: LokiSettings, place: LokiPlace | None = None) -> Path:
    """The file that a pod would find mounted."""
    path = folder / "config.yaml"
    path.write_text(configuration_file(loki, place), encoding="utf-8")
    return path


@contextmanager
def running(folder: Path, loki: LokiSettings) -> Iterator[Loki]:
    """A server until the end of the block; skips the test where Loki is not installed."""
    server_program = program("loki")
    own = fresh(folder / "loki")
    (address,) = addresses(1, (LOKI_PORT, _GRPC_PORT))
    place = LokiPlace(data=str(own / "data"), host=address, grpc_host=address, grpc_port=_GRPC_PORT)
    file = write_configuration(own, loki, place)
    process = Process([str(server_program), f"-config.file={file}", "-target=all"], own, "loki")
    server = Loki(address, process)
    process.start()
    try:
        wait_until(lambda: server.ask("/ready").status == 200, f"Loki is ready: {process.log[-500:]}", _READY_SECONDS)
        yield server
    finally:
        process.stop()
