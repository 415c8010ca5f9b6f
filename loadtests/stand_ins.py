"""Stand-ins of the services as processes of this machine, on loopback only, for load tests without a cluster."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

from cluster.waiting import wait_for
from components.settings import PlatformSettings
from components.settings.services import Runtime
from rendering.errors import CommandError, ExitCode
from rendering.root import ROOT

_SOURCES = ROOT / "images" / "standins"
_LOOPBACK = "127.0.0.1"
_BUILD_SECONDS, _START_SECONDS, _STOP_SECONDS = 300, 15, 5
GATEWAY = "api-gateway"
_VARIABLES = {
    "segmentation-service": "SEGMENTATION_SERVICE_URL",
    "runner-service": "RUNNER_SERVICE_URL",
    "archive-service": "ARCHIVE_SERVICE_URL",
    "ai-orchestrator": "AI_ORCHESTRATOR_URL",
}
"""Variables by which the gateway knows the services that it calls."""

Build = Callable[[str, Path], tuple[str, ...]]
"""Builds the program of a runtime into a folder and returns the command that starts it."""


def _build_go(program: str, folder: Path) -> tuple[str, ...]:
    _build((program, "build", "-o", str(folder / "go-stand-in"), "."), _SOURCES / "go")
    return (str(folder / "go-stand-in"),)


def _build_rust(program: str, folder: Path) -> tuple[str, ...]:
    source = str(_SOURCES / "rust" / "src" / "main.rs")
    _build((program, "-O", "--edition", "2021", "-o", str(folder / "rust-stand-in"), source), folder)
    return (str(folder / "rust-stand-in"),)


_RUNTIMES: Mapping[Runtime, tuple[str, Build]] = {
    "node": ("node", lambda program, _: (program, str(_SOURCES / "node" / "index.js"))),
    "python": (sys.executable, lambda program, _: (program, str(_SOURCES / "python" / "__main__.py"))),
    "go": ("go", _build_go),
    "rust": ("rustc", _build_rust),
}
"""Program that each runtime needs on this machine, and how the stand-in is made ready."""


def _build(command: tuple[str, ...], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False)
    if done.returncode:
        raise CommandError(f"{' '.join(command)} failed:\n{done.stderr.strip()}", ExitCode.NO_TOOLS)


def missing_runtimes(platform: PlatformSettings) -> dict[str, str]:
    """Services that cannot be started here, each with the program that is missing."""
    needed = {name: _RUNTIMES[service.runtime][0] for name, service in platform.services.by_name().items()}
    return {name: program for name, program in needed.items() if shutil.which(program) is None}


@contextmanager
def running_stand_ins(platform: PlatformSettings, folder: Path) -> Iterator[dict[str, str]]:
    """Start every stand-in that this machine can run; all are stopped at the end.

    Args:
        platform: Settings with the services.
        folder: Folder for compiled programs and logs.

    Yields:
        Addresses by the name of a service.

    Raises:
        CommandError: A program does not compile, or does not answer in time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = missing_runtimes(platform)
    services = {name: each for name, each in platform.services.by_name().items() if name not in missing}
    ports = _free_ports(len(services))
    addresses = {name: f"http://{_LOOPBACK}:{port}" for name, port in zip(services, ports, strict=True)}
    calls = {_VARIABLES[name]: url for name, url in addresses.items() if name in _VARIABLES}
    with ExitStack() as running:
        for name, service in services.items():
            program, build = _RUNTIMES[service.runtime]
            command = build(shutil.which(program) or program, folder)
            port = addresses[name].rpartition(":")[2]
            own = {"HOST": _LOOPBACK, "PORT": port, "BIND_ADDRESS": f"{_LOOPBACK}:{port}"}
            environment = os.environ | own | (calls if name == GATEWAY else {})
            running.enter_context(_process(command, environment, folder / f"{name}.log"))
            if not wait_for(partial(_listens, int(port)), seconds=_START_SECONDS, poll_seconds=0.05):
                raise CommandError(f"the stand-in of {name} does not listen; its log: {folder / f'{name}.log'}")
        yield addresses


@contextmanager
def _process(command: tuple[str, ...], environment: Mapping[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_ports(number: int) -> list[int]:
    """Ports that were free a moment ago, each another one."""
    with ExitStack() as held:
        sockets = [held.enter_context(closing(socket.create_server((_LOOPBACK, 0)))) for _ in range(number)]
        return [each.getsockname()[1] for each in sockets]


def _listens(port: int) -> bool:
    try:
        socket.create_connection((_LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
