"""Real servers as processes of this machine: addresses of their own, started, killed and stopped by the tests."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cluster.waiting import wait_for
from components.settings import PlatformSettings
from components.stack.loading import read_platform
from tests.support.documents import ROOT

STACKS = ("alpha", "beta")
_CLAIM_PORT = 19_254
_claims: list[socket.socket] = []


def platform_settings(stack: str) -> PlatformSettings:
    """The settings of a stack file."""
    return read_platform(ROOT / f"Pulumi.{stack}.yaml")


def program(name: str) -> str:
    """A server or client that pyproject.toml names.

    Where there is none for this machine, the test is skipped and says so.
    """
    found = Path(sys.executable).parent / name
    if not found.exists():
        pytest.skip(f"not proven here: the pinned {name} exists for linux/amd64 only")
    return str(found)


def addresses(count: int, ports: Sequence[int]) -> tuple[str, ...]:
    """Loopback addresses whose given ports are all free: each stands for a pod, with the ports that pods have.

    They stay those of this process until it ends, also while nothing listens yet: tests run side by side.
    """
    while True:
        network = f"127.{random.randint(16, 250)}.{random.randint(1, 250)}"  # noqa: S311  # no secret
        found = tuple(f"{network}.{index + 1}" for index in range(count))
        try:
            claim = socket.create_server((f"{network}.254", _CLAIM_PORT))
        except OSError:
            continue
        if all(_is_free(address, port) for address in found for port in ports):
            _claims.append(claim)
            return found
        claim.close()


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def wait_until(true: Callable[[], bool], what: str, seconds: float = 30) -> float:
    """Wait until something holds and return how many seconds that took.

    Raises:
        AssertionError: It does not hold in time; names it.
    """

    def holds() -> bool:
        with suppress(OSError):
            return true()
        return False

    began = time.monotonic()
    assert wait_for(holds, seconds=seconds, poll_seconds=0.05), f"not within {seconds:.0f} s: {what}"
    return time.monotonic() - began


def answers(address: str, port: int) -> bool:
    """True if something listens."""
    with socket.create_connection((address, port), timeout=1):
        return True


def _dies_with_the_tests() -> tuple[str, ...]:
    """Prefix that ends a server when the tests are killed and cannot end it themselves, where util-linux is there."""
    # By its whole path: the server's own may have another of this name.
    found = shutil.which("setpriv")
    return (found, "--pdeathsig", "KILL") if found else ()


@dataclass
class Process:
    """One server, which can be started again after it was killed.

    Attributes:
        command: Program and arguments.
        folder: Working directory; the log lies in it.
        name: Name of the log.
        environment: Variables on top of those of the test.
    """

    command: Sequence[str]
    folder: Path
    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    _running: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Output in all its lives."""
        path = self.folder / f"{self.name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it with every file of its last life, and without what that has started and left running."""
        self.kill()
        with (self.folder / f"{self.name}.log").open("ab") as log:
            # A session of its own: a script and what it has started get the same signal.
            self._running = subprocess.Popen(
                [*_dies_with_the_tests(), *self.command],
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def runs(self) -> bool:
        """True if it was started and has not ended, by itself or otherwise."""
        return self._running is not None and self._running.poll() is None

    def kill(self) -> None:
        """End it as a lost node would: at once, without a chance to write anything."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """End it as the kubelet does."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self._running is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._running.pid, number)
            try:
                self._running.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(self._running.pid, signal.SIGKILL)
                self._running.wait()
            self._running = None


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
