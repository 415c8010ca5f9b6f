"""Questions that are asked from inside a running image: does it answer, is it healthy, what can it write?

Run as `python -m tests.images.inside QUESTION SPECIFICATION ...`; the answer is JSON on standard output.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.images import namespaces as linux
from tests.images.container import Specification

_OK = 200
_TIMEOUT_SECONDS = 2
_START_SECONDS = 30
_PAUSE_SECONDS = 0.005
# What the kernel makes for every process, whatever image it runs.
_KERNEL = ("/proc", "/dev")


def answer_of(specification: Specification, url: str, since: str, seconds: str) -> dict[str, object]:
    """Wait for an answer; tell its status, its text, and the milliseconds since a monotonic time."""
    linux.enter(_pid(specification), "net")
    problem = ""
    while time.monotonic() < float(since) + float(seconds):
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310  # loopback
                body = answer.read().decode()
                return {"status": answer.status, "body": body, "ms": _ms(since)}
        except urllib.error.HTTPError as error:
            return {"status": error.code, "body": "", "ms": _ms(since)}
        except OSError as error:
            problem = str(error)
            time.sleep(_PAUSE_SECONDS)
    return {"status": 0, "body": problem, "ms": _ms(since)}


def health_check(specification: Specification, *command: str) -> dict[str, object]:
    """Run the image's own health check in it, as its user."""
    _go_into(specification)
    child = os.fork()
    if child == 0:
        linux.become(specification.user, specification.user)
        os.execvpe(command[0], command, specification.variables())  # noqa: S606
    return {"exit": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}


def writable_paths(specification: Specification) -> dict[str, object]:
    """Every folder in which the image's user can make a file, and every file that it can change."""
    _go_into(specification)
    linux.become(specification.user, specification.user)
    found = []
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if str(Path(folder) / name) not in _KERNEL]
        changeable = [str(Path(folder) / name) for name in files if os.access(Path(folder) / name, os.W_OK)]
        found += [*changeable, *([folder] if os.access(folder, os.W_OK) else [])]
    return {"writable": sorted(found)}


def _go_into(specification: Specification) -> None:
    pid = _pid(specification)
    linux.enter(pid, "net")
    linux.enter(pid, "mnt")
    os.chroot(f"/proc/{pid}/root")
    os.chdir("/")


def _pid(specification: Specification) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        text = Path(specification.pid_file).read_text() if Path(specification.pid_file).exists() else ""
        if text:
            return int(text)
        time.sleep(_PAUSE_SECONDS)
    raise SystemExit("the image did not start")


def _ms(since: str) -> int:
    return round((time.monotonic() - float(since)) * 1000)


QUESTIONS: Mapping[str, Callable[..., dict[str, object]]] = {
    "answer": answer_of,
    "health": health_check,
    "writable": writable_paths,
}

if __name__ == "__main__":
    _, question, file, *rest = sys.argv
    print(json.dumps(QUESTIONS[question](Specification(**json.loads(Path(file).read_text())), *rest)))
