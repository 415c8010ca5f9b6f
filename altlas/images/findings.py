"""Reports of the image scanners, and the decision whether an image may be released."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import Field

from altlas.images.errors import ImageRefusedError
from components.settings.base import Settings
from components.stack.documents import UnreadableError, read_json, read_yaml
from components.stack.problems import reasons

EXCEPTIONS_NAME = "images.exceptions.yaml"
REFUSED = ("critical", "high")
"""Severities that block a release, unless an exception names the finding."""

SEVERITIES = ("critical", "high", "medium", "low", "negligible", "unknown")


@dataclass(frozen=True)
class Vulnerability:
    """A known vulnerability of a package in an image."""

    identifier: str
    package: str
    severity: str


class FindingException(Settings):
    """Permission to release an image in spite of a finding, with a reason and a last day."""

    identifier: str = Field(description="Name of the finding, such as CVE-2026-1234.", min_length=1)
    reason: str = Field(description="Why the finding does no harm here.", min_length=10)
    until: str = Field(description="Last day of the exception, as YYYY-MM-DD.", pattern=r"^\d{4}-\d{2}-\d{2}$")


class _ExceptionFile(Settings):
    exceptions: tuple[FindingException, ...] = ()


def read_exceptions(file: Path) -> tuple[FindingException, ...]:
    """Read the exceptions; none where the file is missing.

    Raises:
        ImageRefusedError: The file is not a list of exceptions, each with a reason and a last day.
    """
    if not file.exists():
        return ()
    try:
        document = read_yaml(file)
        read = _ExceptionFile.model_validate_json(json.dumps(document, default=str)).exceptions
        for exception in read:
            date.fromisoformat(exception.until)
    except UnreadableError as error:
        raise ImageRefusedError(f"{file.name} {error}") from None
    except ValueError as error:
        raise ImageRefusedError(
            f"{file.name} is not a list of exceptions with identifier, reason and until (YYYY-MM-DD): {reasons(error)}"
        ) from None
    return read


def read_report(file: Path) -> tuple[str, tuple[Vulnerability, ...]]:
    """Read a report of Trivy or Grype and return the scanner's name with the findings.

    Raises:
        ImageRefusedError: The file is missing or is no such report.
    """
    try:
        document = read_json(file)
    except FileNotFoundError:
        raise ImageRefusedError(f"the scan report {file} is missing; run the scanner first") from None
    except UnreadableError as error:
        raise ImageRefusedError(f"the scan report {file} {error}") from None
    if isinstance(document, dict) and "SchemaVersion" in document and "ArtifactName" in document:
        return "trivy", tuple(_trivy(document))
    if isinstance(document, dict) and "matches" in document and "descriptor" in document:
        return "grype", tuple(_grype(document))
    raise ImageRefusedError(f"{file} is neither a JSON report of Trivy nor one of Grype")


def blocks(identifier: str, exceptions: Iterable[FindingException], today: date) -> str:
    """Reason why a critical or high finding blocks a release; empty if an exception for it holds."""
    exception = {each.identifier: each for each in exceptions}.get(identifier)
    if exception is None:
        return (
            "there is no exception for it; update the package, or add one with reason and last day to "
            "images.exceptions.yaml"
        )
    if date.fromisoformat(exception.until) < today:
        return f"its exception expired on {exception.until}; update the package, or renew the exception"
    return ""


def check_findings(
    scanner: str, findings: Iterable[Vulnerability], exceptions: Sequence[FindingException], today: date
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Count the findings by severity, and refuse those that block a release.

    Returns:
        Number of findings by severity, and the names of those that an exception accepts.

    Raises:
        ImageRefusedError: A finding blocks the release, or its exception has expired; names it.
    """
    counts, accepted = dict.fromkeys(SEVERITIES, 0), set[str]()
    for finding in findings:
        counts[finding.severity if finding.severity in counts else "unknown"] += 1
        if finding.severity not in REFUSED:
            continue
        if reason := blocks(finding.identifier, exceptions, today):
            raise ImageRefusedError(
                f"{scanner} finds {finding.identifier} ({finding.severity}) in {finding.package}, and {reason}"
            )
        accepted.add(finding.identifier)
    return {severity: count for severity, count in counts.items() if count}, tuple(sorted(accepted))


def _trivy(document: Mapping[str, Any]) -> Iterator[Vulnerability]:
    for result in document.get("Results") or ():
        for each in result.get("Vulnerabilities") or ():
            yield Vulnerability(each["VulnerabilityID"], each["PkgName"], each["Severity"].lower())


def _grype(document: Mapping[str, Any]) -> Iterator[Vulnerability]:
    for each in document["matches"]:
        weakness = each["vulnerability"]
        yield Vulnerability(weakness["id"], each["artifact"]["name"], weakness["severity"].lower())
