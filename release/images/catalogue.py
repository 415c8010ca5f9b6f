"""How each service's image is built: its Dockerfile, and what the Dockerfile is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from components.settings import PlatformSettings
from release.images.runtimes import RUNTIME_OF

_OWN_ARGUMENTS: Mapping[str, Mapping[str, str]] = {"runner-service": {"BINARY": "runner-service"}}


@dataclass(frozen=True, kw_only=True)
class Release:
    """What a build is of.

    Attributes:
        version: Version of the release.
        revision: Commit of the source.
        epoch: Time of that commit in seconds since 1970; every file of the image bears it.
    """

    version: str
    revision: str
    epoch: int

    @property
    def created(self) -> str:
        """The time as labels have it."""
        return datetime.fromtimestamp(self.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def dockerfile(service: str) -> str:
    """Path of a service's Dockerfile below the project's root."""
    return f"images/{RUNTIME_OF[service]}.Dockerfile"


def build_arguments(
    service: str, platform: PlatformSettings, release: Release, *, build_image: str, run_image: str
) -> dict[str, str]:
    """What the Dockerfile of a service is told.

    Args:
        service: Name of the service.
        platform: Settings of a stack.
        release: What is built.
        build_image: Base with the compiler, with its digest.
        run_image: Base of the result, with its digest.

    Raises:
        UnpinnedBaseError: A base is given without its digest.
    """
    for base in (build_image, run_image):
        if "@sha256:" not in base:
            raise UnpinnedBaseError(
                f"the base image {base!r} of {service} has no digest, so two builds could differ; write it as "
                "repository@sha256:... with the digest that its registry shows"
            )
    settings = platform.services.by_name()[service]
    return {
        "BUILD_IMAGE": build_image,
        "RUN_IMAGE": run_image,
        "SOURCE_DATE_EPOCH": str(release.epoch),
        "PORT": str(settings.port),
        "HEALTH_PATH": settings.probes.readiness_path,
        "TITLE": service,
        "VERSION": release.version,
        "REVISION": release.revision,
        "SOURCE": platform.builds.source,
        "CREATED": release.created,
        **_OWN_ARGUMENTS.get(service, {}),
    }


class UnpinnedBaseError(ValueError):
    """A base image without digest."""
