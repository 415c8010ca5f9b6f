"""Finds remarks and annotations that tell a scanner to look away: they have no place but exceptions.yaml."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from policy.scan.findings import Scan, ScanFinding, demand_objects

_REMARKS = re.compile(r"checkov:skip|checkov\.io/skip|kube-score/ignore|trivy:ignore|tfsec:ignore|zizmor:\s*ignore")


def scan(subject: str, files: Mapping[str, Path]) -> Scan:
    """Look for such remarks.

    Args:
        subject: Name of what is judged.
        files: Files by the name that the reader knows them by.
    """
    findings = (finding for name, file in files.items() for finding in _findings(name, file))
    return demand_objects(Scan("inline ignores", subject, len(files), tuple(sorted(findings))))


def _findings(name: str, file: Path) -> Iterable[ScanFinding]:
    for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
        for remark in _REMARKS.findall(line):
            message = "hides a finding without a place where it is read; write it into policy/scan/exceptions.yaml"
            yield ScanFinding(remark, name, message, line=number)
