"""Builds the five stand-in images for real, runs each one, and tells what was seen."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.node.images.bases import RUNTIMES, ensure_bases
from cluster.node.images.builder import ROOT, Buildah, find_builder, locked
from cluster.node.images.exported import ExportedImage, export, read_exported
from components.platform.images import content_digest
from components.services import SERVICES
from components.settings import PlatformSettings
from components.settings.builds import RuntimesSettings, SourceBuildSettings
from components.stack.image_build import RUNTIME_OF, SHARED_CONTEXT, image_build
from components.stack.loading import read_platform
from tests.images.container import Specification
from tools.debian import PackageCache

REVISION, COMMITTED_AT = "0" * 40, 1_700_000_000
"""Of the stand-ins, which have no commit of their own."""
ALPHA = read_platform(ROOT / "Pulumi.alpha.yaml")
PLATFORM = ALPHA.model_copy(
    update={"builds": ALPHA.builds.model_copy(update={"runtimes": RuntimesSettings(**RUNTIMES)})}
)
"""Alpha, with the runtimes of the bases that are put together here."""
WRITABLE = {service.service_name: service.writable_paths for service in SERVICES}
_START_SECONDS = 30
_BUILDERS = 2


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Observations of one image.

    Attributes:
        service: Name of the service.
        size: Bytes of all layers, compressed.
        layers: Number of layers.
        user: User of the image.
        digests: Digest of each build without cache: one or two.
        start_ms: Time from the start of the process to the first healthy answer.
        health: Status of the health path.
        health_check: Exit code of the image's own health check, run in it as its user.
        metrics: Status of the metrics path, None where the service has none.
        process_user: User of the running process.
        writable: Paths that the process can write.
        stop_ms: Time from SIGTERM to the end.
        stop_code: Exit code after SIGTERM.
        logs: Lines on standard output.
        labels: Labels of the image.
        programs: Programs in the image that nobody there should have: shells and package managers.
    """

    service: str
    size: int
    layers: int
    user: str
    digests: tuple[str, ...]
    start_ms: int
    health: int
    health_check: int
    metrics: int | None
    process_user: int
    writable: tuple[str, ...]
    stop_ms: int
    stop_code: int
    logs: tuple[str, ...]
    labels: dict[str, str]
    programs: tuple[str, ...]


METRICS_PATHS = {"api-gateway": "/metrics", "segmentation-service": "/memory-stats"}
_UNWANTED = ("sh", "bash", "dash", "busybox", "apt", "apt-get", "dpkg", "npm", "pip", "pip3", "gcc", "cargo", "go")


def prove(cache: Path, built_twice: Collection[str] = RUNTIME_OF) -> tuple[str, list[Seen]]:
    """Build and run all images; return the builder's version and what was seen.

    Args:
        cache: Where packages, the builder and its images are kept.
        built_twice: Services whose two builds are compared.

    Raises:
        ToolsUnavailableError: Images cannot be built here.
    """
    with locked(cache):
        return _prove(cache, built_twice)


def _builder_and_source(cache: Path) -> tuple[Buildah, SourceBuildSettings]:
    builder = find_builder(cache)
    bases = ensure_bases(builder, PackageCache(cache / "apt"), builder.storage / "scratch")
    return builder, stand_in_source(builder.storage / "source", bases)


def built_once(cache: Path, into: Path) -> dict[str, ExportedImage]:
    """The images as `prove` builds them, by service; what an earlier run has built from the same is taken from it.

    They are copied below `into`: tests that run beside this one rebuild those of the cache at any time.

    Raises:
        ToolsUnavailableError: Images cannot be built here.
    """
    with locked(cache):
        builder, source = _builder_and_source(cache)
        with ThreadPoolExecutor(_BUILDERS) as pool:
            images = pool.map(lambda name: _kept(name, builder, source) or _built(name, builder, source, 1), RUNTIME_OF)
            return {name: image.copied(into / name) for name, image in zip(RUNTIME_OF, images, strict=True)}


def built_for(cache: Path, service: str, platform: PlatformSettings) -> ExportedImage:
    """A service's image for other settings than those of `prove`.

    Raises:
        ToolsUnavailableError: Images cannot be built here.
        BuildFailedError: The build has failed; says why.
    """
    with locked(cache):
        builder, source = _builder_and_source(cache)
        return _built(service, builder, source, 3, platform)


def _kept(service: str, builder: Buildah, source: SourceBuildSettings) -> ExportedImage | None:
    key = content_digest(image_build(service, PLATFORM, source, ROOT))
    return read_exported(builder.storage / "exported" / f"{service}-1", key)


def _prove(cache: Path, built_twice: Collection[str]) -> tuple[str, list[Seen]]:
    builder, source = _builder_and_source(cache)
    with ThreadPoolExecutor(_BUILDERS) as pool:
        built = list(pool.map(lambda name: _builds(name, builder, source, 1 + (name in built_twice)), RUNTIME_OF))
    return builder.version, [
        _seen(name, images, builder.storage / "running" / name) for name, images in zip(RUNTIME_OF, built, strict=True)
    ]


def stand_in_source(checkout: Path, bases: dict[str, str]) -> SourceBuildSettings:
    """A checkout as `builds.fromSource` names it: a folder for each service, with the stand-in of its runtime."""
    shutil.rmtree(checkout, ignore_errors=True)
    for service, runtime in RUNTIME_OF.items():
        shutil.copytree(ROOT / "images" / "standins" / runtime, checkout / service)
    pairs = {
        runtime: {stage: bases[f"{runtime}-{stage}"] for stage in ("build", "run")} for runtime in RUNTIME_OF.values()
    }
    return SourceBuildSettings.model_validate(
        {"checkout": str(checkout), "revision": REVISION, "committedAt": COMMITTED_AT, "bases": pairs}
    )


def _builds(service: str, builder: Buildah, source: SourceBuildSettings, count: int) -> tuple[ExportedImage, ...]:
    return tuple(_built(service, builder, source, number) for number in range(1, count + 1))


def _built(
    service: str,
    builder: Buildah,
    source: SourceBuildSettings,
    number: int,
    platform: PlatformSettings = PLATFORM,
) -> ExportedImage:
    inputs = image_build(service, platform, source, ROOT)
    tag = f"localhost/alt-las/{service}:build-{number}"
    shared = ("--ignorefile", f"{inputs.shared}/.dockerignore", "--build-context", f"{SHARED_CONTEXT}={inputs.shared}")
    builder.build(
        inputs.dockerfile, inputs.context, tag, inputs.arguments, further=("--no-cache", *shared), epoch=COMMITTED_AT
    )
    return export(builder, tag, builder.storage / "exported" / f"{service}-{number}", content_digest(inputs))


def _seen(service: str, images: tuple[ExportedImage, ...], folder: Path) -> Seen:
    image = images[0]
    configuration = image.configuration["config"]
    image.unpack(folder / "root")
    specification = Specification(
        root=str(folder / "root"),
        command=[*configuration["Entrypoint"], *(configuration.get("Cmd") or [])],
        environment=configuration["Env"],
        working_directory=configuration["WorkingDir"],
        user=int(configuration["User"].partition(":")[0]),
        writable=list(WRITABLE[service]),
        pid_file=str(folder / "pid"),
    )
    url = next(text.partition("=")[2] for text in configuration["Env"] if text.startswith("HEALTH_URL="))
    with _running(specification, folder) as running:
        first = running.ask("answer", url, str(running.since), str(_START_SECONDS))
        metrics = METRICS_PATHS.get(service)
        seen: dict[str, Any] = {
            "start_ms": first["ms"],
            "health": first["status"],
            "health_check": running.ask("health", *configuration["Healthcheck"]["Test"][1:])["exit"],
            "metrics": running.status(url.partition("//")[2].partition("/")[0], metrics) if metrics else None,
            "process_user": running.user(),
            "writable": tuple(running.ask("writable")["writable"]),
        }
        stop_ms, stop_code = running.stop(PLATFORM.services.by_name()[service].shutdown.grace_period_seconds)
    return Seen(
        service=service,
        size=image.size,
        layers=len(image.layers),
        user=configuration["User"],
        digests=tuple(each.digest for each in images),
        stop_ms=stop_ms,
        stop_code=stop_code,
        logs=tuple((folder / "log").read_text().splitlines()),
        labels=configuration["Labels"],
        programs=unwanted_programs(folder / "root"),
        **seen,
    )


def unwanted_programs(root: Path) -> tuple[str, ...]:
    """Shells, package managers and compilers that are in an unpacked image."""
    folders = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin")
    return tuple(
        sorted(f"/{folder}/{name}" for folder in folders for name in _UNWANTED if os.path.lexists(root / folder / name))
    )


@dataclass(frozen=True)
class _Running:
    process: subprocess.Popen[bytes]
    specification: Specification
    file: Path
    since: float

    def ask(self, question: str, *arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "tests.images.inside", question, str(self.file), *arguments]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=2 * _START_SECONDS, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{question} cannot be asked: {done.stderr[-2000:]}")
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def status(self, host: str, path: str) -> int:
        return int(self.ask("answer", f"http://{host}{path}", str(time.monotonic()), str(_START_SECONDS))["status"])

    @property
    def pid(self) -> int:
        return int(Path(self.specification.pid_file).read_text())

    def user(self) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Uid:")).split()[1])

    def stop(self, seconds: int) -> tuple[int, int]:
        began = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        code = self.process.wait(timeout=seconds)
        return round((time.monotonic() - began) * 1000), code


@contextmanager
def _running(specification: Specification, folder: Path) -> Iterator[_Running]:
    Path(specification.pid_file).unlink(missing_ok=True)
    file = folder / "specification.json"
    specification.write(file)
    with (folder / "log").open("wb") as log:
        since = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.images.container", str(file)], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
        running = _Running(process, specification, file, since)
        try:
            yield running
        finally:
            if process.poll() is None:
                os.kill(running.pid, signal.SIGKILL)
                process.wait()
