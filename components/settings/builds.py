"""Builds of new images, and the single source of truth for image digests. Does not own which tag runs."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from components.settings.base import Settings, section, setting

_VERSION = r"^\d+(\.\d+){0,2}$"
_BASE = r"^[a-z0-9][a-z0-9._/:-]*@sha256:[0-9a-f]{64}$"
_BASES = [f"registry.example.com/node@sha256:{'0123456789abcdef' * 4}"]


@dataclass(frozen=True, kw_only=True)
class SourceRelease:
    """Release to build.

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


class RuntimesSettings(Settings):
    """Versions of the runtimes in new images. The recorded beta images have older ones, see altlas.images.runtimes."""

    node: str = setting("feature", "Node.js, a line with long-term support.", "24", pattern=_VERSION)
    rust: str = setting("feature", "Rust, the compiler only.", "1.95", pattern=_VERSION)
    python: str = setting("feature", "Python, in build and image.", "3.14", pattern=_VERSION)
    go: str = setting("feature", "Go, the compiler only.", "1.26", pattern=_VERSION)


class BaseImagesSettings(Settings):
    """The two base images of a runtime, each with its digest: a tag alone could be another image tomorrow."""

    build: str = setting(
        "security", "Base with the compiler, as repository@sha256:....", pattern=_BASE, examples=_BASES
    )
    run: str = setting("security", "Base of the result, as repository@sha256:....", pattern=_BASE, examples=_BASES)


class BasesSettings(Settings):
    """The base images of all runtimes."""

    node: BaseImagesSettings = section("Bases of Node.js.")
    rust: BaseImagesSettings = section("Bases of Rust.")
    python: BaseImagesSettings = section("Bases of Python.")
    go: BaseImagesSettings = section("Bases of Go.")


class SourceBuildSettings(Settings):
    """From which source images are built. The name they are pushed under is each service's own `image`."""

    checkout: str = setting(
        "feature",
        "Folder of the source, with one folder for each service by its name; relative to the project's root.",
        min_length=1,
    )
    revision: str = setting(
        "feature",
        "Commit of the source, 40 hexadecimal digits.",
        pattern=r"^[0-9a-f]{40}$",
        examples=["0123456789abcdef0123456789abcdef01234567"],
    )
    committed_at: int = setting(
        "feature", "Time of that commit, which every file of the images bears.", ge=0, unit="seconds since 1970"
    )
    bases: BasesSettings = section("Base images.")

    @property
    def release(self) -> SourceRelease:
        """Release to build from this source."""
        return SourceRelease(version=self.revision[:12], revision=self.revision, epoch=self.committed_at)


class BuildsSettings(Settings):
    """Builds of new images."""

    source: str = setting(
        "feature",
        "Repository of the services' source, written into the images' labels.",
        "https://github.com/krozenking/ALT_LAS",
        pattern=r"^https://\S+$",
    )
    runtimes: RuntimesSettings = section("Versions of the runtimes.", RuntimesSettings())
    from_source: SourceBuildSettings | None = section(
        "Source from which each update builds and pushes the services' images with a Docker engine; null builds none.",
        None,
    )
    local_checkout: str | None = setting(
        "feature",
        "Folder of the source, with one folder for each service by its name, from which images of registry.invalid are "
        "built for a cluster on this machine; relative to the project's root. Null for stand-ins.",
        None,
        min_length=1,
    )
    platform: Literal["linux/amd64", "linux/arm64"] = setting(
        "feature",
        "Operating system and processor of the nodes, for which `fromSource` builds on whatever machine.",
        "linux/amd64",
    )
    ask_registry: bool = setting(
        "security", "Let each update ask the registry which digest a service's tag has, and deploy that.", False
    )

    @property
    def give_digests(self) -> bool:
        """True if an update itself learns the digests of the services' images."""
        return self.from_source is not None or self.ask_registry
