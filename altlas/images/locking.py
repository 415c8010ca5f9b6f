"""Image lock: add a built image, verify, and pin its digests in a stack file."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ValidationError

from altlas.images.errors import ImageRefusedError
from altlas.images.findings import FindingException, check_findings, read_report
from altlas.images.registry import Resolver
from components.settings import PlatformSettings
from components.settings.image import ImageSettings, is_repository
from components.stack.image_lock import ImageLock, LockedImage, LockedSbom, LockedScan, parse_lock
from components.stack.loading import parse_platform
from components.stack.problems import PLATFORM_KEY

_SCANNERS = ("trivy", "grype")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Candidate for the image lock.

    Attributes:
        service: Name of the service.
        repository: Repository without tag.
        tag: Tag of the release.
        digest: Digest that the build reported.
        revision: Commit of the source.
        built_at: Time of the build in UTC.
        sbom: SBOM file, below `root`.
        reports: Reports of the scanners.
        root: The project's root.
    """

    service: str
    repository: str
    tag: str
    digest: str
    revision: str
    built_at: str
    sbom: Path
    reports: Sequence[Path]
    root: Path


def check_usable(image: str, purpose: str) -> None:
    """Check that an image, as repository and tag, may be deployed: not `latest`, not retired.

    Raises:
        ImageRefusedError: It may not.
    """
    repository, _, tag = image.rpartition(":")
    try:
        ImageSettings(repository=repository, tag=tag)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ImageRefusedError(f"{image} cannot {purpose}: {reason}") from None


def check_prefix(text: str, option: str) -> None:
    """Check that the value of an option is a repository prefix.

    Raises:
        ImageRefusedError: It is not.
    """
    if not is_repository(f"{text}/image"):
        raise ImageRefusedError(
            f"{option} {text!r} is not a repository prefix; write it in lower case without tag, such as "
            "registry.example.com/team"
        )


def lock_image(
    lock: ImageLock, candidate: Candidate, exceptions: Iterable[FindingException], resolve: Resolver, today: date
) -> ImageLock:
    """The lock with a candidate in it.

    Raises:
        ImageRefusedError: The candidate must not be released; says why.
        ImageLockError: The lock cannot hold it.
    """
    sbom = read_sbom(candidate.sbom, candidate.root)
    scans = _scans(candidate.reports, tuple(exceptions), today)
    locked = {
        "repository": candidate.repository,
        "tag": candidate.tag,
        "digest": candidate.digest,
        "revision": candidate.revision,
        "builtAt": candidate.built_at,
        "sbom": sbom.model_dump(mode="json", by_alias=True),
        "scans": [scan.model_dump(mode="json", by_alias=True) for scan in scans],
    }
    # Refuses `latest` and the retired images before a registry is asked.
    image = parse_lock({"images": {candidate.service: locked}}).images[candidate.service]
    check_digest(image, resolve)
    return lock.with_image(candidate.service, image)


def check_digest(image: LockedImage, resolve: Resolver) -> None:
    """Check that the registry has the locked digest under the tag.

    Raises:
        ImageRefusedError: It has another, or cannot be reached.
    """
    found = resolve(image.repository, image.tag)
    if found != image.digest:
        raise ImageRefusedError(
            f"{image.repository}:{image.tag} is {found} in the registry, not {image.digest}; lock what was built, or "
            "build again under a new tag"
        )


def read_sbom(file: Path, root: Path) -> LockedSbom:
    """Read an SBOM.

    Raises:
        ImageRefusedError: It is missing, empty, or in no known format.
    """
    try:
        content = file.read_bytes()
        document: Any = json.loads(content)
    except FileNotFoundError:
        raise ImageRefusedError(
            f"the SBOM {file} is missing; make it with syft, see `altlas images pipeline`"
        ) from None
    except (OSError, ValueError) as error:
        raise ImageRefusedError(f"the SBOM {file} cannot be read: {error}") from None
    found = document if isinstance(document, dict) else {}
    name: Literal["spdx", "cyclonedx"] = "spdx" if "spdxVersion" in found else "cyclonedx"
    is_known = name == "spdx" or found.get("bomFormat") == "CycloneDX"
    if not is_known or not (found.get("packages") or found.get("components")):
        raise ImageRefusedError(f"the SBOM {file} lists nothing as SPDX or CycloneDX")
    place = str(file.resolve().relative_to(root.resolve())) if file.resolve().is_relative_to(root.resolve()) else None
    if place is None:
        raise ImageRefusedError(
            f"the SBOM {file} is outside the project, so others cannot find it; keep it below {root}"
        )
    return LockedSbom(file=place, format=name, digest=f"sha256:{hashlib.sha256(content).hexdigest()}")


def verify(lock: ImageLock, root: Path, resolve: Resolver | None) -> None:
    """Check the SBOMs and digests of the lock.

    Args:
        lock: The lock.
        root: The project's root.
        resolve: Digest of a tag in its registry; None checks local files only.

    Raises:
        ImageRefusedError: One differs; names it.
    """
    for service, image in lock.images.items():
        if read_sbom(root / image.sbom.file, root) != image.sbom:
            raise ImageRefusedError(f"the SBOM {image.sbom.file} of {service} is not the one that was locked")
        if resolve is not None:
            check_digest(image, resolve)


def check_stack(lock: ImageLock, platform: PlatformSettings, stack: str) -> None:
    """Check that a stack deploys the locked images.

    Raises:
        ImageRefusedError: A service deploys another image than the lock has.
    """
    for service, settings in platform.services.by_name().items():
        locked = lock.images.get(service)
        if locked is None:
            raise ImageRefusedError(f"{service} is not locked, so {stack} deploys it by its tag; lock its image")
        if settings.image != locked.image:
            raise ImageRefusedError(
                f"{stack} deploys {settings.image.reference} for {service}, the lock has {locked.image.reference}; "
                f"take the lock's with `altlas images pin {stack}`"
            )


def pinned(text: str, lock: ImageLock) -> str:
    """A stack file with the locked images in it; comments stay.

    Raises:
        ImageRefusedError: A service's image is not written in one line, as the stack files have it.
    """
    expected = yaml.safe_load(text)
    services = expected["config"][PLATFORM_KEY]["services"]
    for service, locked in lock.images.items():
        image = {"repository": locked.repository, "tag": locked.tag, "digest": locked.digest}
        services[service]["image"] = image
        line = f"image: {{repository: {locked.repository}, tag: {locked.tag}, digest: '{locked.digest}'}}"
        pattern = rf"(^ +{re.escape(service)}:\n(?:^ *#.*\n)*^ +)image: \{{[^}}]*\}}"
        text = re.sub(pattern, lambda found, line=line: found[1] + line, text, count=1, flags=re.MULTILINE)  # type: ignore[misc]
    if yaml.safe_load(text) != expected:
        raise ImageRefusedError(
            "an image is not written as `image: {repository: ..., tag: ...}` below its service's name"
        )
    parse_platform(expected["config"][PLATFORM_KEY])
    return text


def _scans(reports: Sequence[Path], exceptions: tuple[FindingException, ...], today: date) -> tuple[LockedScan, ...]:
    scans: dict[str, LockedScan] = {}
    for file in reports:
        scanner, findings = read_report(file)
        counts, accepted = check_findings(scanner, findings, exceptions, today)
        digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
        scans[scanner] = LockedScan.model_validate_json(
            json.dumps({"scanner": scanner, "report": digest, "findings": counts, "accepted": accepted})
        )
    missing = [scanner for scanner in _SCANNERS if scanner not in scans]
    if missing:
        raise ImageRefusedError(f"the report of {' and '.join(missing)} is missing; two scanners must have looked")
    return tuple(scans[scanner] for scanner in _SCANNERS)
