"""Findings of scanners, in one form for all of them."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


class ScannerError(Exception):
    """A scanner did not do its work, so its silence means nothing; the text says which one and why."""


@dataclass(frozen=True, order=True)
class ScanFinding:
    """One thing that a scanner does not like.

    Attributes:
        check: Name of the check, as the scanner's documentation has it.
        where: `Kind/name` of an object, or path of a file.
        message: What is wrong.
        level: How bad it is; both kinds make the scan fail.
        line: Line in the file, or 1 for a rendered object.
    """

    check: str
    where: str
    message: str
    level: Level = "error"
    line: int = 1


@dataclass(frozen=True)
class Scan:
    """Result of one scanner for one subject.

    Attributes:
        scanner: Name of the scanner, and what it was told to compare with, where there are several.
        subject: Name of the stack, or of the files.
        objects: How many objects, files or packages it judged.
        findings: Everything that it does not like.
        skipped: Checks that it left out, as it says itself.
        unproven: Why the scan proves nothing here, or proves less than it would elsewhere; empty when it proves all.
    """

    scanner: str
    subject: str
    objects: int
    findings: tuple[ScanFinding, ...] = ()
    skipped: int = 0
    unproven: str = ""

    def count(self, level: Level) -> int:
        """Number of findings of one level."""
        return sum(finding.level == level for finding in self.findings)


def demand_objects(scan: Scan) -> Scan:
    """Return a scan that has judged something.

    Raises:
        ScannerError: It has judged nothing, so it could not have found anything.
    """
    if not scan.objects and not scan.unproven:
        raise ScannerError(f"{scan.scanner} judged nothing of {scan.subject}")
    return scan
