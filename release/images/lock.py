"""The lock of the images: which digest each service's release has, and what was found in it."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError

from components.settings.base import Settings
from components.settings.image import ImageSettings
from release.images.errors import ImageRefusedError
from release.images.runtimes import RUNTIME_OF

LOCK_NAME = "images.lock.yaml"
_HEADER = "# Written by `altlas images lock`. The checksum covers all that follows: changes by hand are refused.\n"
_SHA256 = r"^sha256:[0-9a-f]{64}$"
_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"


class LockedSbom(Settings):
    """The list of what is in an image."""

    file: str = Field(description="Where it is kept, below the project's root.", min_length=1)
    format: Literal["spdx", "cyclonedx"]
    digest: str = Field(pattern=_SHA256)


class LockedScan(Settings):
    """What one scanner found."""

    scanner: Literal["trivy", "grype"]
    report: str = Field(description="Digest of the report.", pattern=_SHA256)
    findings: dict[str, int] = Field(description="Number of findings by severity.")


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
            raise ValueError(f"{service}: {_reasons(error)}") from None
    return images


class ImageLock(Settings):
    """All locked images by service."""

    images: Annotated[dict[str, LockedImage], AfterValidator(_known_services)] = Field(default_factory=dict)

    def with_image(self, service: str, image: LockedImage) -> "ImageLock":
        """The lock with one service's release replaced, checked anew.

        Raises:
            ImageRefusedError: The image must not be released.
        """
        return parse_lock(_document(self) | {"images": _document(self)["images"] | {service: _document(image)}})


def parse_lock(document: Mapping[str, Any]) -> ImageLock:
    """Make a lock of a document without its checksum.

    Raises:
        ImageRefusedError: Says what is wrong, by name.
    """
    try:
        return ImageLock.model_validate_json(json.dumps(document))
    except (ValidationError, TypeError) as error:
        raise ImageRefusedError(f"{LOCK_NAME} cannot hold this: {_reasons(error)}") from None


def read_lock(file: Path) -> ImageLock | None:
    """Read a lock; None where there is none yet.

    Raises:
        ImageRefusedError: It was changed by hand, or cannot be read.
    """
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        checksum = document.pop("checksum")
        found = _checksum(document)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise ImageRefusedError(
            f"{file.name} cannot be read as a lock ({type(error).__name__}); take the last good one from "
            "version control"
        ) from None
    if found != checksum:
        raise ImageRefusedError(
            f"{file.name} was changed by hand: its checksum is {checksum}, its content has {found}; take the last good "
            "one from version control and use `altlas images lock`"
        )
    return parse_lock(document)


def write_lock(file: Path, lock: ImageLock) -> None:
    """Replace a lock at once or not at all."""
    document = _document(lock)
    text = _HEADER + yaml.safe_dump({"checksum": _checksum(document), **document}, sort_keys=False, width=120)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _document(model: Settings) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True)


def _checksum(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _reasons(error: ValidationError | TypeError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    found = [(".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, ")) for each in error.errors()]
    return "; ".join(f"{path}: {message}" if path else message for path, message in found)
