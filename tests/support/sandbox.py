"""A sandbox for the tests of `tools`: tiny programs, a fake Go, and a release server on the loopback interface."""

import contextlib
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tools.manifest import current_platform

REPOSITORY = Path(__file__).parents[2]

FAKE_GO = """#!/bin/sh
program() { printf '#!/bin/sh\\necho "program version v%s"\\n' "${FAKE_GO_BUILDS:-1.2.3}" > "$1"; }
case "$1" in
env) echo "go${FAKE_GO_VERSION:-1.26.8}" ;;
mod) echo "{\\"Dir\\": \\"$FAKE_GO_MODULE\\"}" ;;
build)
  echo "$*" >> "$FAKE_GO_LOG"
  echo "$GOCACHE" > "$FAKE_GO_LOG.cache"
  echo "$GOFLAGS $GOTOOLCHAIN $CGO_ENABLED $GOWORK" > "$FAKE_GO_LOG.settings"
  if [ -n "$FAKE_GO_GATE" ]; then read -r _ < "$FAKE_GO_GATE"; fi
  if [ -n "$FAKE_GO_FAILURE" ]; then echo "$FAKE_GO_FAILURE" >&2; exit 1; fi
  while [ "$1" != -o ]; do shift; done
  target=$2; shift 2
  case "$target" in
  */) for package in "$@"; do program "$target${package##*/}"; done ;;
  *) program "$target" ;;
  esac ;;
esac
"""


def program_text(version: str) -> bytes:
    """Return a program that answers every question with its version."""
    return f'#!/bin/sh\necho "program version v{version}"\n'.encode()


def sha256(content: bytes) -> str:
    """Return a checksum in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def tar_gz(members: dict[str, bytes]) -> bytes:
    """Return a compressed tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return buffer.getvalue()


def wait_until(condition: Callable[[], object]) -> None:
    """Wait at most a minute for a condition."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition never came true"
        time.sleep(0.01)


@dataclass
class Sandbox:
    """Owns one folder: a manifest with its Go modules, a folder that is the whole PATH, and a cache."""

    folder: Path
    document: dict[str, Any] = field(default_factory=lambda: {"packages": {}, "modules": {}})
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def manifest(self) -> Path:
        """The manifest file."""
        return self.folder / "manifest.json"

    @property
    def root(self) -> Path:
        """The root of the cache."""
        return self.folder / "home" / "alt-las" / "tools"

    @property
    def builds(self) -> list[str]:
        """The arguments of every `go build` so far."""
        log = self.folder / "go.log"
        return log.read_text("utf-8").splitlines() if log.exists() else []

    def package(self, name: str, *, built: bool = True, **entry: Any) -> None:
        """Add a package at version 1.2.3 to the manifest, by default built from our Go module `module-NAME`."""
        full = {"version": "1.2.3", "version_arguments": ["--version"], **entry}
        if built:
            module = f"module-{name}"
            full.setdefault("build", {"steps": [{"module": module, "package": f"example.org/{name}", "program": name}]})
            self.module(module)
        self.document["packages"][name] = full
        self.save()

    def module(self, name: str, **entry: Any) -> None:
        """Add one of our Go modules to the manifest."""
        self.document["modules"].setdefault(name, entry)
        folder = self.folder / "go" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "go.mod").write_text(f"module alt-las/{name}\n\ngo 1.26\n", "utf-8")
        self.save()

    def save(self) -> None:
        """Write the manifest."""
        self.manifest.write_text(json.dumps(self.document), "utf-8")

    def executable(self, name: str, content: bytes) -> Path:
        """Put a program on PATH."""
        file = self.folder / "bin" / name
        file.write_bytes(content)
        file.chmod(0o755)
        return file

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command line in an own process."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tools", "--manifest", str(self.manifest), *arguments],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=(self.folder / f"stderr-{len(list(self.folder.glob('stderr-*')))}").open("w"),
            text=True,
            env=os.environ,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def stop(self) -> None:
        """End every process that was started, and what these have started."""
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def finished(self, name: str) -> list[Path]:
        """Return the finished cache folders of a package."""
        return sorted(self.root.glob(f"{name}@*"))


@dataclass
class ReleaseServer:
    """Owns a file server on the loopback interface.

    Attributes:
        address: what ALT_LAS_RELEASE_MIRROR is set to.
        files: content by path.
        requests: path and Range header of each request, in order.
        break_after: number of bytes after which the next answer for a path breaks off; each is used once.
        knows_ranges: False for a server that always sends the whole file.
    """

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    break_after: dict[str, int] = field(default_factory=dict)
    knows_ranges: bool = True

    def release(self, name: str, content: bytes, **entry: Any) -> dict[str, Any]:
        """Serve a file and return the manifest's `releases` that names it."""
        self.files[f"/releases.example/{name}"] = content
        release = {"url": f"https://releases.example/{name}", "sha256": sha256(content), **entry}
        return {current_platform(): [release]}

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request, with the asked range only where one is asked for."""
        wanted = handler.headers.get("Range")
        self.requests.append((handler.path, wanted))
        if not self.knows_ranges:
            wanted = None
        content = self.files.get(handler.path)
        if content is None:
            handler.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if wanted and start >= len(content):
            handler.send_error(416)
            return
        handler.send_response(206 if wanted else 200)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start : self.break_after.pop(handler.path, len(content))])
