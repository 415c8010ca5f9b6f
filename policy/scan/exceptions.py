"""Findings that the project lives with, each for a reason: read from exceptions.yaml, the only place for them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from components.stack.documents import UnreadableError, read_yaml
from policy.paths import ABSENT, read
from policy.scan.findings import Scan, ScanFinding, ScannerError

FILE = Path(__file__).with_name("exceptions.yaml")

_SHORTEST_REASON = 40
_Text = Annotated[str, Field(min_length=1)]


class Condition(BaseModel):
    """A setting that an exception depends on.

    Attributes:
        setting: Path below `alt-las:platform`, such as `admission.requireDigests`.
        value: What it must be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    setting: _Text
    value: bool | int | str


class Exemption(BaseModel):
    """One check that may find something on some objects.

    Attributes:
        scanner: Name of the scanner; `kubeconform` is every version of it.
        check: Name of the check.
        objects: `Kind/name` or file of those that it covers; `*` stands for the part of a name that changes.
        reason: Why the finding is wrong here, or cannot be mended here.
        only_if: Setting without which the exemption is void.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scanner: _Text
    check: _Text
    objects: Annotated[tuple[_Text, ...], Field(min_length=1)]
    reason: Annotated[str, Field(min_length=_SHORTEST_REASON)]
    only_if: Condition | None = None

    def covers(self, scanner: str, finding: ScanFinding, settings: dict[str, Any]) -> bool:
        """Tell whether it covers a finding of a scanner in a stack with these settings."""
        return (
            scanner.startswith(self.scanner)
            and finding.check == self.check
            and any(fnmatchcase(finding.where, pattern) for pattern in self.objects)
            and (self.only_if is None or read(settings, self.only_if.setting, ABSENT) == self.only_if.value)
        )


@dataclass(frozen=True)
class JudgedScan:
    """A scan after the exemptions.

    Attributes:
        scan: What remains of it.
        exempt: The other findings, each with the exemption that covers it.
    """

    scan: Scan
    exempt: tuple[tuple[ScanFinding, Exemption], ...]


@cache
def load_exemptions(file: Path = FILE) -> tuple[Exemption, ...]:
    """Read the exemptions.

    Raises:
        ScannerError: One has no scope or no reason, or the file is not as it must be.
    """
    try:
        return TypeAdapter(tuple[Exemption, ...]).validate_python(read_yaml(file) or ())
    except UnreadableError as error:
        raise ScannerError(f"{file.name} {error}") from None
    except ValidationError as error:
        places = [f"  {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise ScannerError("\n".join([f"{file.name} is not usable:", *places])) from None


def judge(scan: Scan, exemptions: Sequence[Exemption], settings: dict[str, Any]) -> JudgedScan:
    """Take the findings out of a scan that an exemption covers."""
    exempt, remaining = [], []
    for finding in scan.findings:
        cover = next((each for each in exemptions if each.covers(scan.scanner, finding, settings)), None)
        if cover is None:
            remaining.append(finding)
        else:
            exempt.append((finding, cover))
    return JudgedScan(replace(scan, findings=tuple(remaining)), tuple(exempt))
