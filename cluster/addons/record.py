"""Record of the addons on a cluster: a ConfigMap in it, compared with what is pinned."""

from collections.abc import Collection, Mapping
from enum import StrEnum

from cluster.addons.manifest import AddonManifest

RECORD_NAME = "alt-las-addons"
"""Name of the ConfigMap with one entry for each addon: version and checksum, or that it is left to the cluster."""

RECORD_NAMESPACE = "kube-system"

EXTERNAL = "external"
"""Entry of an addon that is not managed by this project, and that is left alone."""


class AddonState(StrEnum):
    """Relation of an addon on the cluster to the pinned one."""

    INSTALLED = "installed"
    MISSING = "missing"
    OTHER = "to be updated"
    NEWER = "newer than pinned"
    EXTERNAL = "left to the cluster"
    OPTIONAL = "optional"


def record_of(
    manifest: AddonManifest, external: Collection[str], *, webhooks: bool, optional: Collection[str] = ()
) -> dict[str, str]:
    """The record of a cluster on which the pinned addons are installed.

    Args:
        manifest: What is pinned.
        external: Addons that are left to the cluster.
        webhooks: As for `addon_objects`.
        optional: Optional addons that were requested.
    """
    return {
        name: EXTERNAL if name in external else f"{addon.version} sha256:{manifest.digest(name, webhooks=webhooks)}"
        for name, addon in manifest.addons.items()
        if not addon.optional or name in {*external, *optional}
    }


def recorded_version(entry: str) -> str:
    """Version in an entry of a record; empty for one that is left to the cluster."""
    return "" if entry == EXTERNAL else entry.partition(" ")[0]


def newer_versions(record: Mapping[str, str], manifest: AddonManifest) -> dict[str, str]:
    """Versions on the cluster that are newer than the pinned ones, by addon."""
    return {
        name: recorded_version(record[name])
        for name, addon in manifest.addons.items()
        if name in record and is_newer(recorded_version(record[name]), addon.version)
    }


def state_of(name: str, record: Mapping[str, str], wanted: Mapping[str, str], manifest: AddonManifest) -> AddonState:
    """State of one addon.

    Args:
        name: The addon.
        record: What the cluster remembers; empty if it remembers nothing.
        wanted: What `record_of` gave.
        manifest: What is pinned.
    """
    entry = record.get(name)
    if entry is None:
        return AddonState.OPTIONAL if manifest.addons[name].optional else AddonState.MISSING
    if entry == EXTERNAL:
        return AddonState.EXTERNAL
    if entry == wanted[name]:
        return AddonState.INSTALLED
    return AddonState.NEWER if name in newer_versions(record, manifest) else AddonState.OTHER


def is_newer(version: str, than: str) -> bool:
    """Tell whether a version is newer than another; a text that is no version is not."""
    return _numbers(version) > _numbers(than)


def _numbers(version: str) -> tuple[int, ...]:
    numbers = version.removeprefix("v").partition("-")[0].split(".")
    return tuple(map(int, numbers)) if all(number.isdecimal() for number in numbers) else ()
