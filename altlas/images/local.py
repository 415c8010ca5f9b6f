"""Images that no registry has, built with the Docker engine of this machine for a cluster on this machine.

Owns which images these are, what each is built from, and the build commands. Does not own the way onto the nodes
(cluster.k3d), nor releases: bases are named by tag here, so two builds may differ.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from altlas.session.console import Report
from components.settings import PlatformSettings
from components.settings.base import Settings
from components.settings.builds import RuntimesSettings, SourceRelease
from components.settings.image import ImageSettings, has_no_registry
from components.settings.nats import NatsSettings
from components.settings.postgres import PostgresSettings, major_version
from components.settings.redis import RedisSettings
from components.stack.image_build import (
    RUNTIME_OF,
    SHARED_CONTEXT,
    BuildInputError,
    build_arguments,
    check_context,
    check_dockerfile,
)
from rendering.errors import CommandError, ExitCode

Runner = Callable[[Sequence[str]], str]
"""Runs a command and returns its output."""

STAND_INS = Path("images/standins")
"""Folder with a program for each runtime that answers health checks and does nothing else, below the project's root."""

_UNRELEASED = SourceRelease(version="local", revision="0" * 40, epoch=0)
_DEBIAN = "trixie"
"""Debian release of the backup image's bases: that of CloudNativePG's image."""


@dataclass(frozen=True, kw_only=True)
class LocalBuild:
    """Build of one image.

    Attributes:
        reference: Name under which the pods ask for it.
        origin: What it is built from, as the end of a sentence.
        command: Command that builds it and prints its ID.
    """

    reference: str
    origin: str
    command: tuple[str, ...]


def local_builds(platform: PlatformSettings, root: Path) -> tuple[LocalBuild, ...]:
    """Builds of all images of a stack that no registry has.

    Args:
        platform: Settings of the stack.
        root: The project's root.

    Raises:
        CommandError: The source of a service holds secrets or history, or no build is known for an image.
    """
    wanted = {path: image.reference for path, image in platform.images() if has_no_registry(image.repository)}
    return tuple(_build(path, reference, platform, root) for path, reference in wanted.items())


def build_images(builds: Sequence[LocalBuild], run: Runner, report: Report) -> dict[str, str]:
    """Build images and return the ID of each by its reference. What has not changed takes the engine a moment.

    Args:
        builds: What to build.
        run: Runs `docker`.
        report: Prints progress.
    """
    if builds:
        report(
            "WARNING: no registry has these images; they are built here and put onto this machine's cluster, and they "
            "are no release:"
        )
    built = {}
    for each in builds:
        report(f"  {each.reference} from {each.origin}")
        built[each.reference] = run(each.command).strip()
    return built


def _build(path: str, reference: str, platform: PlatformSettings, root: Path) -> LocalBuild:
    if path == "backup.image":
        return _backup(reference, platform, root)
    service = path.split(".")[1]
    if service not in RUNTIME_OF:
        raise CommandError(
            f"{path} is {reference}, which no registry has and nobody knows how to build; write a repository of yours",
            ExitCode.BAD_INPUT,
        )
    folder, origin = _source(service, platform, root)
    dockerfile = root / "images" / f"{RUNTIME_OF[service]}.Dockerfile"
    try:
        check_context(folder)
        check_dockerfile(dockerfile)
    except BuildInputError as error:
        raise CommandError(f"builds.localCheckout: {service}: {error}", ExitCode.BAD_INPUT) from None
    build, run = _bases(platform.builds.runtimes)[RUNTIME_OF[service]]
    arguments = build_arguments(service, platform, _UNRELEASED, build_image=build, run_image=run)
    shared = ("--build-context", f"{SHARED_CONTEXT}={root / 'images'}")
    return LocalBuild(
        reference=reference, origin=origin, command=_command(reference, dockerfile, folder, arguments, *shared)
    )


def _source(service: str, platform: PlatformSettings, root: Path) -> tuple[Path, str]:
    if platform.builds.local_checkout:
        folder = (root / platform.builds.local_checkout / service).resolve()
        if folder.is_dir():
            return folder, f"the source in {folder}"
    return root / STAND_INS / RUNTIME_OF[service], "a STAND-IN: it answers health checks and does nothing else"


def _backup(reference: str, platform: PlatformSettings, root: Path) -> LocalBuild:
    postgres = _image(platform.postgres, PostgresSettings, "image")
    redis = _image(platform.redis, RedisSettings, "image").tag.partition("-")[0]
    python = f"python:{platform.builds.runtimes.python}-slim-{_DEBIAN}"
    arguments = {
        "BUILD_IMAGE": python,
        "RUN_IMAGE": python,
        "POSTGRES_IMAGE": postgres.reference,
        "POSTGRES_MAJOR": str(major_version(postgres.tag)),
        "REDIS_IMAGE": f"redis:{redis}-{_DEBIAN}",
        "NATS_IMAGE": _image(platform.nats, NatsSettings, "image").reference,
        "NATS_TOOLS_IMAGE": _image(platform.nats, NatsSettings, "tools_image").reference,
        "SOURCE_DATE_EPOCH": str(_UNRELEASED.epoch),
        "TITLE": "backup",
        "VERSION": _UNRELEASED.version,
        "REVISION": _UNRELEASED.revision,
        "SOURCE": platform.builds.source,
        "CREATED": _UNRELEASED.created,
    }
    dockerfile = root / "images" / "backup" / "Dockerfile"
    return LocalBuild(
        reference=reference,
        origin="images/backup/Dockerfile",
        command=_command(reference, dockerfile, root, arguments),
    )


def _image(block: Settings | None, settings: type[Settings], field: str) -> ImageSettings:
    """An image of a store, or its default where the stack has no such store."""
    found: ImageSettings = getattr(block, field) if block else settings.model_fields[field].default
    return found


def _command(
    reference: str, dockerfile: Path, context: Path, arguments: Mapping[str, str], *further: str
) -> tuple[str, ...]:
    values = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
    options = ("--quiet", "--file", str(dockerfile), "--tag", reference)
    return ("docker", "build", *options, *further, *values, str(context))


def _bases(runtimes: RuntimesSettings) -> dict[str, tuple[str, str]]:
    """Published base images for building and running, by runtime. Not proven here: no registry could be asked."""
    return dict(_each_base(runtimes))


def _each_base(runtimes: RuntimesSettings) -> Iterator[tuple[str, tuple[str, str]]]:
    yield "node", (f"node:{runtimes.node}-bookworm-slim",) * 2
    yield "python", (f"python:{runtimes.python}-slim-bookworm",) * 2
    yield "rust", (f"rust:{runtimes.rust}-slim-bookworm", "debian:bookworm-slim")
    yield "go", (f"golang:{runtimes.go}-bookworm", "gcr.io/distroless/static-debian12")
