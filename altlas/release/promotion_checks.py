"""Checks of a promotion: each says what speaks against it, or nothing.

Pure functions over what is known. Does not own where that comes from (`candidate`) nor what is moved (`promotion`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from altlas.images.findings import REFUSED, FindingException, blocks
from altlas.release.steps import ChangeSetting
from altlas.release.verified_set import VerifiedSet
from components.settings import PlatformSettings
from components.settings.release import PromotionSettings
from components.stack.image_lock import ImageLock
from components.traffic.stores import NATS, POSTGRES, REDIS

_ON, _OFF = "on", "off"
_SAFE: Mapping[str, str | Sequence[str]] = {
    "admission.enabled": _ON,
    "admission.requireDigests": _ON,
    "release.plansOnly": _ON,
    "release.automatic": _OFF,
    "release.automaticRollback": _OFF,
    "mesh.mode": ("off", "permissive", "strict"),
}
"""Position of a switch that is safe, or values from the weakest to the strongest."""

_MORE_IS_SAFER = ("release.approvals.",)
_LESS_IS_SAFER = ("release.planHours", "release.mostDeletions")
_FEWER_ENTRIES_ARE_SAFER = (
    "additionalCalls",
    "admission.additionalRepositories",
    "egress.apiServerSources",
    "egress.privateRanges",
    "ingress.controllerRanges",
)
_DUMP, _DRILL = "{}-backup", "{}-backup-drill"


def weaker_security(changes: Iterable[ChangeSetting]) -> Iterator[str]:
    """Settings of the target that a promotion would weaken, or that cannot be compared.

    Args:
        changes: Settings of the target that the promotion changes.
    """
    for change in changes:
        if change.decision == "security" and not _is_no_weaker(change):
            yield (
                f"security: {change.field} would go from {change.before} to {change.after}, which is weaker or cannot "
                "be compared; decide it in the stack file of the target first"
            )


def unsafe_images(
    images: Mapping[str, str], lock: ImageLock | None, retired: Mapping[str, str], signed: Callable[[str], str]
) -> Iterator[str]:
    """Images that are retired, not locked with a digest, or not signed.

    Args:
        images: References by service.
        lock: The image lock of the release.
        retired: Time of retirement by image, as repository and tag.
        signed: Checks the signature of a reference; returns what is wrong, or nothing.
    """
    for service, reference in images.items():
        image, _, digest = reference.partition("@")
        locked = lock.images.get(service) if lock else None
        if image in retired:
            yield f"{service}: {image} is retired since {retired[image]}"
        if not digest:
            yield f"{service}: {image} is known by its tag only; lock its digest by `altlas images lock`"
        elif locked is None or locked.image.reference != reference:
            yield f"{service}: {reference} is not the image in the lock, so nothing is known of its scans"
        elif problem := signed(reference):
            yield f"{service}: {reference} is not signed: {problem}"


def other_images(images: Mapping[str, str], after: PlatformSettings) -> Iterator[str]:
    """Images that the target's stack file would name otherwise than they ran.

    Args:
        images: References that ran, by service.
        after: Settings of the target with the promotion.
    """
    for service, settings in after.services.by_name().items():
        if settings.image.reference != images.get(service):
            yield (
                f"{service}: the stack file would say {settings.image.reference}, and {images.get(service)} ran; "
                "write digests into the stack files by `altlas images pin`"
            )


def other_versions(
    programs: tuple[Mapping[str, str], Mapping[str, str]],
    addons: tuple[Mapping[str, str], Mapping[str, str]],
    stack: str,
) -> Iterator[str]:
    """Parts of the checkout that are not those that the release ran with.

    Args:
        programs: Digests of the program's files: those of the release, and those of the checkout.
        addons: Versions of addons likewise.
        stack: Stack of the release.
    """
    (then, now), (known, pinned) = programs, addons
    changed = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    if changed:
        more = f" and {len(changed) - 1} more" if changed[1:] else ""
        yield f"program: {changed[0]}{more} changed since the release; deploy {stack} with this checkout first"
    for name in sorted(known.keys() | pinned.keys()):
        if known.get(name) != pinned.get(name):
            yield f"addon {name}: the release ran with {known.get(name)}, and this checkout installs {pinned.get(name)}"


def failing_scans(lock: ImageLock | None, exceptions: Sequence[FindingException], now: datetime) -> Iterator[str]:
    """Findings of locked images that block a release, without an exception for them that still holds.

    Args:
        lock: The image lock of the release.
        exceptions: Findings that were accepted, each until a day.
        now: The moment.
    """
    for service, image in (lock.images if lock else {}).items():
        for scan in image.scans:
            count = sum(scan.findings.get(severity, 0) for severity in REFUSED)
            if count and not scan.accepted:
                yield (
                    f"{service}: {scan.scanner} found {count} {' or '.join(REFUSED)} vulnerabilities, which the lock "
                    "does not name; lock it again by `altlas images lock`, then deploy it"
                )
            for identifier in scan.accepted:
                if reason := blocks(identifier, exceptions, now.date()):
                    yield f"{service}: {scan.scanner} found {identifier}, and {reason}"


def old_backups(
    platform: PlatformSettings, cron_jobs: Iterable[Mapping[str, Any]], limits: PromotionSettings, now: datetime
) -> Iterator[str]:
    """Stores of the target whose last good backup or restore test is older than its limit.

    Args:
        platform: Settings of the target as it runs.
        cron_jobs: CronJobs of its namespace, with their status.
        limits: Limits.
        now: The moment.
    """
    known = {each["metadata"]["name"]: (each.get("status") or {}).get("lastSuccessfulTime") for each in cron_jobs}
    stores = {POSTGRES: platform.postgres, REDIS: platform.redis, NATS: platform.nats}
    for store in (name for name, settings in stores.items() if settings):
        for what, name, limit in (
            ("backup", _DUMP, timedelta(hours=limits.backup_hours)),
            ("restore test", _DRILL, timedelta(days=limits.restore_test_days)),
        ):
            last = known.get(name.format(store))
            if not last:
                yield f"{what} of {store}: none has succeeded yet"
            elif now - datetime.fromisoformat(last) > limit:
                yield f"{what} of {store}: the last good one is of {last}; at most {_hours(limit)} are allowed"


def short_soak(ended: datetime, limits: PromotionSettings, now: datetime) -> Iterator[str]:
    """Time that a release must still run in the source.

    Args:
        ended: Time from which all its services were ready.
        limits: Limits.
        now: The moment.
    """
    left = ended + timedelta(minutes=limits.soak_minutes) - now
    if left > timedelta():
        minutes = -(-left // timedelta(minutes=1))
        yield f"soak: the release is ready since {ended.isoformat()}; {minutes} of {limits.soak_minutes} min are left"


def held(found: VerifiedSet, holds: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """Holds on a set: deployments of it that a person has rolled back.

    Args:
        found: The set.
        holds: Digests of sets by the name of the hold, such as `beta/7`.
    """
    for name, digests in holds.items():
        if found.digest in digests:
            yield f"hold {name}: a person has rolled this release back; end it by --clear-hold {name} --reason TEXT"


def _is_no_weaker(change: ChangeSetting) -> bool:
    before, after, field = change.before, change.after, change.field
    if before is None and field.endswith(".digest"):
        return True
    safe = _SAFE.get(field)
    if safe in (_ON, _OFF):
        return bool(after) is (safe == _ON)
    if safe is not None and before in safe and after in safe:
        return safe.index(after) >= safe.index(before)
    if field.startswith(_MORE_IS_SAFER):
        return bool(after >= before)
    if field in _LESS_IS_SAFER:
        return before is None or (after is not None and after <= before)
    return field in _FEWER_ENTRIES_ARE_SAFER and all(each in before for each in after)


def _hours(limit: timedelta) -> str:
    return f"{limit // timedelta(hours=1)} h"
