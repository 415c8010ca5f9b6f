"""The program of the pod that Flagger asks for approvals, with the program's configuration, and questions to it."""

import json
import urllib.error
import urllib.request
from pathlib import Path

from components.platform.canary_approvals import configuration
from tests.data.debian import haproxy
from tests.support.loopback import Process


def approvals_program(folder: Path, host: str) -> Process:
    """HAProxy at an address, not started."""
    for name, content in configuration(str(folder), host).items():
        (folder / name).write_text(content)
    program, variables = haproxy()
    return Process([program, "-W", "-db", "-f", str(folder / "haproxy.cfg")], folder, "haproxy", variables)


def ask(place: str, body: object = None) -> tuple[int, str]:
    """Status and body of an answer; with a body as Flagger sends it."""
    request = urllib.request.Request(f"http://{place}", None if body is None else json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  # of this machine
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
