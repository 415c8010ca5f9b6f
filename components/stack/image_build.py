"""Build of each service's image: its Dockerfile, its build context, and the arguments of the Dockerfile."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from components.settings.builds import SourceBuildSettings, SourceRelease
from components.settings.platform import PlatformSettings
from components.settings.services import ServicesSettings
from components.stack.problems import PLATFORM_KEY, Problem, SettingsError

RUNTIME_OF: Mapping[str, str] = {name: settings.runtime for name, settings in ServicesSettings.types().items()}
"""Runtime by service."""

SHARED_CONTEXT = "platform"
"""Name of the build context with what all images share: the folder of the Dockerfiles."""

_KEY = f"{PLATFORM_KEY}.builds.fromSource"
_SECRET_FILES = re.compile(r"\.env(\..+)?")
_HARMLESS = (".env.example",)
_ROOT = ("root", "0")


class BuildInputError(ValueError):
    """Input must not go into a build; the message says what and what would be right."""


@dataclass(frozen=True, kw_only=True)
class ImageBuild:
    """One service's build, ready for a builder.

    Attributes:
        context: Folder of the service's source.
        dockerfile: The Dockerfile.
        shared: Folder that the build sees under the name SHARED_CONTEXT.
        arguments: Arguments of the Dockerfile.
    """

    context: Path
    dockerfile: Path
    shared: Path
    arguments: Mapping[str, str]

    @property
    def warning(self) -> str | None:
        """Reason why another build of the same source may hold something else; None if there is none."""
        requirements = self.context / "requirements.txt"
        if not self.dockerfile.name.startswith("python") or not requirements.is_file():
            return None
        lines = [line.strip() for line in requirements.read_text(encoding="utf-8").splitlines()]
        if not any(line and not line.startswith("#") for line in lines) or any("--hash=" in line for line in lines):
            return None
        return (
            f"{requirements} has no checksums, so nobody notices when an index serves other files; write them with "
            "`pip-compile --generate-hashes` or `uv pip compile --generate-hashes`"
        )


def image_builds(platform: PlatformSettings, root: Path, engine_answers: Callable[[], bool]) -> dict[str, ImageBuild]:
    """The builds of all services; none where the settings name no source.

    Args:
        platform: Settings of a stack.
        root: The project's root.
        engine_answers: Tells whether a Docker engine is there; asked only where images are to be built.

    Raises:
        SettingsError: No engine answers, or what goes into a build must not; names all that is wrong.
    """
    source = platform.builds.from_source
    if source is None:
        return {}
    builds, problems = {}, []
    for service in RUNTIME_OF:
        try:
            builds[service] = image_build(service, platform, source, root)
        except BuildInputError as error:
            problems.append(Problem(f"{_KEY}.checkout", f"{service}: {error}"))
    if not engine_answers():
        cure = "start one, name one with DOCKER_HOST, or remove the key and deploy what a registry has"
        problems.append(Problem(_KEY, f"has images built, but no Docker engine answers; {cure}"))
    if problems:
        raise SettingsError(tuple(problems))
    return builds


def image_build(service: str, platform: PlatformSettings, source: SourceBuildSettings, root: Path) -> ImageBuild:
    """The build of a service's image from a checkout of its source.

    Args:
        service: Name of the service.
        platform: Settings of a stack.
        source: Where the source is, and what it is built on.
        root: The project's root.

    Raises:
        BuildInputError: The source is missing, holds secrets or history, or the image would end as root.
    """
    shared = root / "images"
    context = (root / source.checkout / service).resolve()
    dockerfile = shared / f"{RUNTIME_OF[service]}.Dockerfile"
    check_context(context)
    check_dockerfile(dockerfile)
    bases = getattr(source.bases, RUNTIME_OF[service])
    arguments = build_arguments(service, platform, source.release, build_image=bases.build, run_image=bases.run)
    return ImageBuild(context=context, dockerfile=dockerfile, shared=shared, arguments=arguments)


def build_arguments(
    service: str, platform: PlatformSettings, release: SourceRelease, *, build_image: str, run_image: str
) -> dict[str, str]:
    """Arguments of a service's Dockerfile.

    Args:
        service: Name of the service.
        platform: Settings of a stack.
        release: What is built.
        build_image: Base with the compiler, with its digest.
        run_image: Base of the result, with its digest.
    """
    settings = platform.services.by_name()[service]
    return {
        "BUILD_IMAGE": build_image,
        "RUN_IMAGE": run_image,
        "RUNTIME_VERSION": str(getattr(platform.builds.runtimes, RUNTIME_OF[service])),
        "SOURCE_DATE_EPOCH": str(release.epoch),
        "PORT": str(settings.port),
        "HEALTH_PATH": settings.probes.readiness_path,
        "TITLE": service,
        "VERSION": release.version,
        "REVISION": release.revision,
        "SOURCE": platform.builds.source,
        "CREATED": release.created,
        # Cargo calls the program as its package.
        **({"BINARY": service} if RUNTIME_OF[service] == "rust" else {}),
    }


def check_context(folder: Path) -> None:
    """Make sure that a build context holds neither secrets nor history.

    The .dockerignore leaves both out; a context that holds them may still be read by another tool, or with another
    ignore file.

    Raises:
        BuildInputError: The folder is missing, or names what must not be in it.
    """
    if not folder.is_dir():
        raise BuildInputError(f"the build context {folder} is not a folder; give the folder of the service's source")
    for path in sorted(folder.rglob(".*")):
        name = path.name
        if name == ".git" or (_SECRET_FILES.fullmatch(name) and name not in _HARMLESS):
            raise BuildInputError(
                f"the build context {folder} holds {path.relative_to(folder)}, which must never get into an image; "
                "build from a clean export, such as `git archive HEAD | tar --extract --directory <folder>`"
            )


def check_dockerfile(file: Path) -> None:
    """Make sure that the image of a Dockerfile runs as a numeric user that is not root.

    Raises:
        BuildInputError: The last stage has no user, or one that a cluster cannot tell from root.
    """
    user = None
    for line in file.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words and words[0].upper() == "FROM":
            user = None
        elif words and words[0].upper() == "USER":
            user = words[1].partition(":")[0]
    if user is None or user in _ROOT:
        raise BuildInputError(f"{file.name} ends as root; write `USER 10001:10001` in its last stage")
    if not user.isdecimal():
        raise BuildInputError(
            f"{file.name} ends as the user {user!r}, and a cluster cannot tell whether a name is root; write a number"
        )
