"""Metrics of the gateway's stand-in: the histogram by which releases are judged, from real answers."""

import re
import shutil
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cluster.ports import choose_free_port
from tests.support.documents import ROOT
from tests.support.loopback import Process, answers, wait_until

ASKED = 5


def ask(port: int, path: str) -> str:
    """Body of an answer, also of an error."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:  # loopback
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()


@pytest.mark.parametrize(("failing", "code"), [("0", "200"), ("100", "500")])
def test_answers_are_counted_by_status_and_time(tmp_path: Path, failing: str, code: str) -> None:
    """Those of the public paths, not those of probes and of Prometheus; a release can be made to fail."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("not proven here: metrics of the gateway's stand-in: there is no program `node`")
    port = choose_free_port(())
    variables = {"HOST": "127.0.0.1", "PORT": str(port), "FAILING_PERCENT": failing}
    process = Process((program, str(ROOT / "images/standins/node/index.js")), tmp_path, "gateway", variables)
    process.start()
    try:
        wait_until(lambda: answers("127.0.0.1", port), "it listens")
        for path in ["/api/health"] * ASKED + ["/health", "/metrics"]:
            ask(port, path)
        metrics = ask(port, "/metrics")
    finally:
        process.stop()
    counts = re.findall(r'^http_request_duration_ms_count\{code="(\d+)"\} (\d+)$', metrics, re.MULTILINE)
    assert counts == [(code, str(ASKED))]
    assert f'http_request_duration_ms_bucket{{code="{code}",le="+Inf"}} {ASKED}' in metrics
