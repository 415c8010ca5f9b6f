"""The lock of the images: which digest each service's release has, and what was found in it.

Owns its form, its checksum, and how a stack that requires digests takes them from it. Does not own what gets into it:
that is decided by `altlas images lock`.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from components.settings.base import Settings
from components.settings.image import ImageSettings
from components.stack.documents import UnreadableError, read_yaml
from components.stack.image_build import RUNTIME_OF
from components.stack.problems import reasons

LOCK_NAME = "images.lock.yaml"
_SHA256 = r"^sha256:[0-9a-f]{64}$"
_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"


class ImageLockError(ValueError):
    """A lock is not usable, or does not fit a stack; the message holds cause and cure."""


class LockedSbom(Settings):
    """The list of what is in an image."""

    file: str = Field(description="Where it is kept, below the project's root.", min_length=1)
    format: Literal["spdx", "cyclonedx"]
    digest: str = Field(pattern=_SHA256)


class LockedScan(Settings):
    """Findings of one scanner."""

    scanner: Literal["trivy", "grype"]
    report: str = Field(description="Digest of the report.", pattern=_SHA256)
    findings: dict[str, int] = Field(description="Number of findings by severity.")
    accepted: tuple[str, ...] = Field((), description="Findings that block a release without an exception, by name.")


class LockedImage(Settings):
    """One service's release."""

    repository: str
    tag: str
    digest: str = Field(pattern=_SHA256)
    revision: str = Field(description="Commit of the source.", pattern=r"^[0-9a-f]{40}$")
    built_at: str = Field(description="Time of the build in UTC.", pattern=_TIME)
    sbom: LockedSbom
    scans: tuple[LockedScan, ...] = Field(min_length=2)

    @property
    def image(self) -> ImageSettings:
        """The image as a stack file names it; refuses `latest` and the retired ones."""
        return ImageSettings(repository=self.repository, tag=self.tag, digest=self.digest)


def _known_services(images: dict[str, LockedImage]) -> dict[str, LockedImage]:
    for service, locked in images.items():
        if service not in RUNTIME_OF:
            raise ValueError(f"{service!r} is no service; known: {', '.join(RUNTIME_OF)}")
        try:
            # Its own checks refuse `latest` and the retired images.
            _ = locked.image
        except ValidationError as error:
            raise ValueError(f"{service}: {reasons(error)}") from None
    return images


class ImageLock(Settings):
    """All locked images by service."""

    images: Annotated[dict[str, LockedImage], AfterValidator(_known_services)] = Field(default_factory=dict)

    def with_image(self, service: str, image: LockedImage) -> "ImageLock":
        """The lock with one service's release replaced, checked again.

        Raises:
            ImageLockError: The image must not be released.
        """
        return parse_lock(as_document(self) | {"images": as_document(self)["images"] | {service: as_document(image)}})


def parse_lock(document: Mapping[str, Any]) -> ImageLock:
    """Make a lock of a document without its checksum.

    Raises:
        ImageLockError: Says what is wrong, by name.
    """
    try:
        return ImageLock.model_validate_json(json.dumps(document))
    except (ValidationError, TypeError) as error:
        raise ImageLockError(f"{LOCK_NAME} cannot hold this: {reasons(error)}") from None


def read_lock(file: Path) -> ImageLock | None:
    """Read a lock; None where there is none yet.

    Raises:
        ImageLockError: It was changed by hand, or cannot be read.
    """
    try:
        document = read_yaml(file)
        checksum = document.pop("checksum")
        found = checksum_of(document)
    except FileNotFoundError:
        return None
    except (UnreadableError, AttributeError, KeyError, TypeError) as error:
        reason = error if isinstance(error, UnreadableError) else "is no lock"
        raise ImageLockError(f"{file.name} {reason}; take the last good one from version control") from None
    if found != checksum:
        raise ImageLockError(
            f"{file.name} was changed by hand: its checksum is {checksum}, its content has {found}; take the last good "
            "one from version control and use `altlas images lock`"
        )
    return parse_lock(document)


def with_locked_digests(document: object, lock_file: Path) -> object:
    """Platform settings with the lock's digests, where they require digests and do not name those of the services.

    Settings that require none, that learn digests in another way, or that are not even of the right form stay as they
    are; the checks of the settings say what is wrong with them.

    Args:
        document: What stands below `alt-las:platform`, as plain data.
        lock_file: The lock, which may be missing.

    Raises:
        ImageLockError: The lock is not usable, or a service's image is not the one that is locked.
    """
    if not isinstance(document, dict) or not _needs_digests(document):
        return document
    lock, services = read_lock(lock_file), document.get("services")
    if lock is None or not isinstance(services, dict):
        return document
    filled = {
        name: _with_digest(name, service, lock.images[name]) if name in lock.images else service
        for name, service in services.items()
    }
    return document | {"services": filled}


def _needs_digests(document: Mapping[str, Any]) -> bool:
    admission, builds = document.get("admission"), document.get("builds")
    learns = isinstance(builds, dict) and (builds.get("fromSource") or builds.get("askRegistry"))
    return isinstance(admission, dict) and admission.get("requireDigests") is True and not learns


def _with_digest(name: str, service: object, locked: LockedImage) -> object:
    image = service.get("image") if isinstance(service, dict) else None
    if not isinstance(service, dict) or not isinstance(image, dict):
        return service
    wanted = as_document(locked.image)
    if any(image.get(key) not in (None, text) for key, text in wanted.items()):
        raise ImageLockError(
            f"services.{name}.image is {_reference(image)}, but {LOCK_NAME} has {locked.image.reference}; lock what is "
            "to be deployed with `altlas images lock`, or take what is locked with `altlas images pin`"
        )
    return service | {"image": {**image, "digest": locked.digest}}


def _reference(image: Mapping[str, Any]) -> str:
    return f"{image.get('repository')}:{image.get('tag')}" + (f"@{image['digest']}" if image.get("digest") else "")


def as_document(model: Settings) -> dict[str, Any]:
    """A lock, or a part of one, as its file has it."""
    return model.model_dump(mode="json", by_alias=True)


def checksum_of(document: Mapping[str, Any]) -> str:
    """Digest over all that a lock's file says beside this digest."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
