"""A real registry on this machine, with the stand-in images in it, and the pinned programs that work on it."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tools
from cluster.node.images.exported import ExportedImage
from cluster.ports import LOOPBACK, choose_free_port
from tests.images.proof import REVISION

PROGRAMS = ("crane", "syft", "cosign", "trivy", "grype")
PREFIX = "alt-las"
_START_SECONDS = 60
_COMMAND_SECONDS = 180


@dataclass(frozen=True)
class LoopbackRegistry:
    """A registry that keeps what is pushed to it in a folder, and forgets nothing until it is stopped.

    Attributes:
        host: Address and port.
        toolbox: The pinned programs.
        scratch: Folder for what the programs keep.
    """

    host: str
    toolbox: tools.Toolbox
    scratch: Path

    def repository(self, service: str) -> str:
        """Repository of a service."""
        return f"{self.host}/{PREFIX}/{service}"

    def reference(self, service: str) -> str:
        """Repository and tag of a service's stand-in."""
        return f"{self.repository(service)}:{REVISION}"

    def variables(self) -> dict[str, str]:
        """Environment in which the programs find each other and ask nobody but this registry."""
        folders = [*map(str, self.toolbox.directories()), str(Path(sys.executable).parent)]
        return {
            "PATH": os.pathsep.join([*folders, os.environ["PATH"]]),
            "HOME": str(self.scratch),
            "SYFT_CHECK_FOR_APP_UPDATE": "false",
            "SYFT_REGISTRY_INSECURE_USE_HTTP": "true",
            "GRYPE_REGISTRY_INSECURE_USE_HTTP": "true",
            # Read when the key pair of this one run is made and used; it protects nothing else.
            "COSIGN_PASSWORD": "of this run only",
        }

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the programs."""
        return subprocess.run(
            [str(self.toolbox.path(program)), *arguments],
            cwd=self.scratch,
            env=self.variables(),
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )

    def crane(self, *arguments: str) -> str:
        """Ask or change the registry."""
        done = self.run("crane", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def push(self, images: Mapping[str, ExportedImage]) -> None:
        """Push images under their services' names, byte for byte."""
        for service, image in images.items():
            self.crane("push", str(image.as_layout(self.scratch / service)), self.reference(service))


@contextmanager
def loopback_registry(scratch: Path) -> Iterator[LoopbackRegistry]:
    """Run a registry below a folder; it ends with the block, whatever happens in it."""
    toolbox = tools.ensure(PROGRAMS)
    registry = LoopbackRegistry(f"{LOOPBACK}:{choose_free_port(())}", toolbox, scratch)
    blobs = scratch / "registry"
    blobs.mkdir()
    with (scratch / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            [str(toolbox.path("crane")), "registry", "serve", "--address", registry.host, "--disk", str(blobs)],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_it_answers(registry.host, process)
            yield registry
        finally:
            process.terminate()
            process.wait()


def _wait_until_it_answers(host: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{host}/v2/", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the registry on {host} does not answer")
