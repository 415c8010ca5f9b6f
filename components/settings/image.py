"""Which image a service runs."""

import re

from pydantic import field_validator, model_validator

from components.kubernetes.naming import is_label_value
from components.settings.base import Settings, setting

RETIRED_IMAGES = {
    "frozen68/api-gateway:latest": "frozen68/api-gateway:beta.v9",
    "frozen68/runner-service:latest": "frozen68/runner-service:beta.final",
    "frozen68/segmentation-service:latest": "frozen68/segmentation-service:beta",
    "frozen68/ai-orchestrator:latest": "frozen68/ai-orchestrator:beta",
    "frozen68/archive-service:latest": "frozen68/archive-service:beta",
}
"""Images that the project has retired, each with the image that replaced it (beta image status report, section 3)."""

NO_REGISTRY = "registry.invalid"
"""Host of images that no registry has: their stack must name its own, or they are put onto the nodes.

Nobody can register the top-level domain (RFC 2606), so nobody can serve another image under such a name.
"""

_REPOSITORY = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*(:[0-9]+(?=/))?(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DEFAULT_REGISTRIES = ("docker.io/", "index.docker.io/", "registry-1.docker.io/")


def is_repository(text: str) -> bool:
    """Tell whether `text` is an image repository without tag or digest."""
    return _REPOSITORY.fullmatch(text) is not None


def has_no_registry(reference: object) -> bool:
    """Tell whether an image, or a repository, is one that no registry has. One that an update learns has one."""
    return isinstance(reference, str) and reference.startswith(f"{NO_REGISTRY}/")


def _without_default_registry(repository: str) -> str:
    for registry in _DEFAULT_REGISTRIES:
        repository = repository.removeprefix(registry)
    return repository


class ImageSettings(Settings):
    """An image by repository and fixed tag, optionally held to a digest. Does not own building it."""

    repository: str = setting("feature", "Repository without tag, such as frozen68/api-gateway.")
    tag: str = setting("feature", "Fixed tag of the release; `latest` is refused because it names no release.")
    digest: str | None = setting("security", "Digest (sha256:...) that the tag must resolve to.", None)

    @field_validator("repository")
    @classmethod
    def _repository_is_bare(cls, repository: str) -> str:
        if not is_repository(repository):
            raise ValueError(
                "is not an image repository; write it in lower case without tag or digest, such as team/app"
            )
        return repository

    @field_validator("tag")
    @classmethod
    def _tag_is_well_formed(cls, tag: str) -> str:
        if not is_label_value(tag):
            raise ValueError(
                "is not a usable tag; use at most 63 letters, digits, '.', '_' or '-', because it is also the "
                "version label of the pods"
            )
        return tag

    @field_validator("digest")
    @classmethod
    def _digest_is_sha256(cls, digest: str | None) -> str | None:
        if digest is not None and not _DIGEST.fullmatch(digest):
            raise ValueError("is not a digest; write 'sha256:' and 64 hexadecimal digits")
        return digest

    @model_validator(mode="after")
    def _names_a_release(self) -> "ImageSettings":
        name = f"{_without_default_registry(self.repository)}:{self.tag}"
        if name in RETIRED_IMAGES:
            raise ValueError(
                f"{name} is retired and must not be deployed; use {RETIRED_IMAGES[name]} or a later release"
            )
        if self.tag.lower() == "latest":
            raise ValueError(
                f"{name} can change under a running release and cannot be rolled back; use the fixed tag of a release"
            )
        return self

    @property
    def reference(self) -> str:
        """The image as a container names it: repository, tag and, where it is known, digest."""
        return f"{self.repository}:{self.tag}" + (f"@{self.digest}" if self.digest else "")
