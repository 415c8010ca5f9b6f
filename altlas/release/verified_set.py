"""Verified set: what ran together in a deployment, and what a promotion moves as one.

Owns what belongs to it and its digest. Does not own where it goes (`promotion`) nor what may be promoted
(`promotion_checks`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from altlas.release.canonical import digest
from altlas.release.seal import promotion_lock
from altlas.release.settings_diff import leaves
from cluster.addons.manifest import load_manifest
from components.settings import PlatformSettings
from components.stack.documents import UnreadableError, read_json
from components.stack.loading import read_platform
from rendering.errors import CommandError, ExitCode


@dataclass(frozen=True)
class VerifiedSet:
    """Images and settings that ran together.

    Attributes:
        images: References of the services' images, by service.
        settings: Settings of class `feature`, by path.
    """

    images: Mapping[str, str]
    settings: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 over both."""
        return digest(asdict(self))


def verified_set(platform: PlatformSettings) -> VerifiedSet:
    """The set of a stack's settings: all images of services, and the settings of class `feature`."""
    images = {name: service.image.reference for name, service in platform.services.by_name().items()}
    settings = {path: leaf.value for path, leaf in leaves(platform) if leaf.field_class == "feature"}
    return VerifiedSet(images, {path: value for path, value in settings.items() if not is_image(path)})


def is_image(path: str) -> bool:
    """Tell whether a setting is a part of the reference of a service's image."""
    parts = path.split(".")
    return parts[:1] == ["services"] and parts[2:3] == ["image"]


def deployed_set(stack_file: Path) -> dict[str, Any]:
    """Facts for the ledger about what is deployed: digest of the set, versions of the addons, and what was promoted.

    Args:
        stack_file: The stack file; the promotion lock lies beside it.
    """
    found = verified_set(read_platform(stack_file))
    facts: dict[str, Any] = {"set": found.digest, "addons": addon_versions()}
    lock = stack_file.parent / promotion_lock(stack_file)
    if lock.is_file():
        try:
            promoted = read_json(lock)
            if promoted["images"] == dict(found.images):
                facts["promoted"] = promoted["set"]
        except (UnreadableError, KeyError, TypeError) as error:
            reason = error if isinstance(error, UnreadableError) else "is no lock of a promotion"
            message = f"{lock.name} {reason}; take the last good one from version control. Nothing was changed"
            raise CommandError(message, ExitCode.BAD_INPUT) from None
    return facts


def addon_versions() -> dict[str, str]:
    """Pinned versions of the operators and CRDs, by addon."""
    return {name: addon.version for name, addon in load_manifest().addons.items()}
