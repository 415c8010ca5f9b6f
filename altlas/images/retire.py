"""Retirement of an image: a record, and the commands that the owner of its registry runs."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from altlas.images.errors import ImageRefusedError
from altlas.images.locking import check_usable
from components.settings.image import RETIRED_IMAGES, is_repository
from components.stack.documents import UnreadableError, read_yaml
from components.stack.image_lock import ImageLock

RECORD_NAME = "images.retired.yaml"
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HEADER = "# Written by `altlas images retire`: images that are out of use, and what replaced them.\n"


@dataclass(frozen=True, kw_only=True)
class Retirement:
    """One retired image.

    Attributes:
        image: Repository and tag.
        replaced_by: Repository and tag of the image in use.
        retired_at: Time in UTC.
    """

    image: str
    replaced_by: str
    retired_at: str

    def as_document(self) -> dict[str, str]:
        """The entry of the record file."""
        return {"image": self.image, "replacedBy": self.replaced_by, "retiredAt": self.retired_at}

    def commands(self, archive: str) -> tuple[str, ...]:
        """Commands for the owner of the registry: copy the image, compare digests, remove the tag.

        Args:
            archive: Repository prefix that keeps retired images.
        """
        repository, _, tag = self.image.rpartition(":")
        kept = f"{archive}/{repository.rpartition('/')[2]}:retired-{tag}-{self.retired_at[:10]}"
        return (
            f"crane copy {self.image} {kept}",
            f'test "$(crane digest {self.image})" = "$(crane digest {kept})"',
            f"crane delete {self.image}",
        )


def retirement(image: str, replaced_by: str | None, lock: ImageLock | None, now: str) -> Retirement:
    """The retirement of an image.

    Args:
        image: Repository and tag.
        replaced_by: Its replacement; known for the five images of the alpha phase.
        lock: The lock; an image in it is in use.
        now: Time in UTC.

    Raises:
        ImageRefusedError: The image is in use, or its replacement is not usable.
    """
    repository, _, tag = image.rpartition(":")
    if not is_repository(repository) or not _TAG.fullmatch(tag):
        raise ImageRefusedError(f"{image!r} is not an image; write REPOSITORY:TAG")
    replacement = replaced_by or RETIRED_IMAGES.get(image)
    if replacement is None:
        raise ImageRefusedError(f"the replacement of {image} is not known; name it with --replaced-by REPOSITORY:TAG")
    if not all(replacement.rpartition(":")[::2]):
        raise ImageRefusedError(f"{replacement!r} is not an image; write REPOSITORY:TAG")
    if replacement == image:
        raise ImageRefusedError(f"{image} cannot replace itself; name another image with --replaced-by")
    check_usable(replacement, "replace an image")
    for service, locked in (lock.images if lock else {}).items():
        if image == f"{locked.repository}:{locked.tag}":
            raise ImageRefusedError(f"{image} is locked for {service} and thus in use; lock its replacement first")
    return Retirement(image=image, replaced_by=replacement, retired_at=now)


def record(file: Path, new: Retirement) -> None:
    """Add a retirement to the record file, atomically.

    Raises:
        ImageRefusedError: The image is in the archive already, or the archive cannot be read.
    """
    with _entries(file) as known:
        earlier = [each for each in known if each["image"] == new.image]
    if earlier:
        raise ImageRefusedError(f"{new.image} is retired since {earlier[0]['retiredAt']}, see {file.name}")
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    content = {"retired": [*known, new.as_document()]}
    try:
        draft.write_text(_HEADER + yaml.safe_dump(content, sort_keys=False, width=120), encoding="utf-8")
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def retired_images(file: Path) -> dict[str, str]:
    """Time of retirement of every recorded image, by repository and tag.

    Raises:
        ImageRefusedError: The record cannot be read.
    """
    with _entries(file) as known:
        return {str(each["image"]): str(each["retiredAt"]) for each in known}


@contextmanager
def _entries(file: Path) -> Iterator[list[Mapping[str, Any]]]:
    """Entries of the record. An entry without a needed key is refused as well, while the caller reads it."""
    try:
        document = read_yaml(file) if file.exists() else {"retired": []}
        yield list(document["retired"])
    except UnreadableError as error:
        raise ImageRefusedError(f"{file.name} {error}") from None
    except (KeyError, TypeError) as error:
        raise ImageRefusedError(f"{file.name} is no record of retired images ({error!r}); mend it first") from None
