"""Locust itself against servers of this machine: what is measured, what is left out, and when the command fails."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from altlas.commands.loadtest import loadtest
from loadtests.generator import ENVIRONMENT, generate, locust_python
from loadtests.measure import LoadFigures, LoadTarget, shortfalls
from loadtests.profiles import LoadGoal
from rendering.errors import CommandError
from tests.support.documents import ROOT

pytestmark = pytest.mark.data

WARM_UP, SECONDS = 3, 5
GOAL = LoadGoal(40, 150)
SLOW_SECONDS = 0.4


class Behaving(BaseHTTPRequestHandler):
    """Answers as its path says."""

    protocol_version = "HTTP/1.1"
    began: float | None = None
    numbers = itertools.count(1)

    def do_GET(self) -> None:
        """Answer at once, late, late at the beginning only, or with an error every fifth time."""
        Behaving.began = Behaving.began or time.monotonic()
        cold = time.monotonic() - Behaving.began < WARM_UP - 1
        if self.path == "/late" or (self.path == "/cold" and cold):
            time.sleep(SLOW_SECONDS)
        self.send_response(500 if self.path == "/broken" and next(self.numbers) % 5 == 0 else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


class Server(ThreadingHTTPServer):
    """Takes bursts of connections."""

    request_queue_size = 128
    daemon_threads = True


@pytest.fixture(scope="module")
def python() -> Path:
    """Interpreter with Locust."""
    if not (ROOT / ENVIRONMENT).exists():
        pytest.skip("not proven here: Locust is not installed; run `make install-loadtests`")
    return locust_python()


@pytest.fixture
def address() -> Iterator[str]:
    """A server of this test."""
    Behaving.began = None
    server = Server(("127.0.0.1", 0), Behaving)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def load(python: Path, url: str) -> LoadFigures:
    """Measure with twenty users."""
    return generate(python, LoadTarget("one", url, 20, GOAL), WARM_UP, SECONDS)


def test_the_wanted_rate_is_made_and_the_warm_up_left_out(python: Path, address: str) -> None:
    """A service that is slow when it is cold passes; each request of the measured seconds counts once."""
    found = load(python, f"{address}/cold")
    assert shortfalls(GOAL, found) == ()
    assert found.failures == {}
    assert found.answered == pytest.approx(GOAL.requests_per_second * SECONDS, abs=10)
    assert found.percentiles[100] < SLOW_SECONDS * 1000


def test_a_slow_service_fails_by_its_percentile(python: Path, address: str) -> None:
    """The control: the same delay for all."""
    found = load(python, f"{address}/late")
    assert SLOW_SECONDS * 1000 <= found.percentiles[50] <= found.percentiles[95] <= found.percentiles[99]
    assert any(each.startswith("p95 4") for each in shortfalls(GOAL, found))


def test_errors_are_counted_by_status(python: Path, address: str) -> None:
    """And fail the test."""
    found = load(python, f"{address}/broken")
    assert set(found.failures) == {"HTTP 500"}
    assert found.failed_percent == pytest.approx(20, abs=2)
    assert any("x HTTP 500" in each for each in shortfalls(GOAL, found))


def test_the_command_writes_results_and_fails_when_a_goal_is_missed(
    python: Path,  # noqa: ARG001  # Locust must be there
    address: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From the command line to the files; half of alpha's load passes where the answers come in time."""
    urls = [f"archive-service={address}/quick"]
    options = {"percent": 50, "warm_up": 2, "seconds": 5, "out": tmp_path}
    loadtest("alpha", url=urls, **options)  # type: ignore[arg-type]
    assert "archive-service" in capsys.readouterr().out
    assert json.loads((tmp_path / "results.json").read_text())["passed"]
    assert "All goals are met." in (tmp_path / "results.html").read_text()
    with pytest.raises(CommandError, match="goals of the profile alpha are missed by archive-service"):
        loadtest("alpha", url=[f"archive-service={address}/late"], **options)  # type: ignore[arg-type]
    assert not json.loads((tmp_path / "results.json").read_text())["passed"]
