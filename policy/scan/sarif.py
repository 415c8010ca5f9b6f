"""Writes a scan as SARIF 2.1.0, the format that code hosts show beside the changed lines."""

import json
import re
from pathlib import Path
from typing import Any

from policy.scan.exceptions import JudgedScan
from policy.scan.findings import ScanFinding

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def write_sarif(judged: JudgedScan, folder: Path) -> Path:
    """Write one file for one scan; exempt findings are in it as suppressed, with the reason."""
    scan = judged.scan
    exempt = [_result(finding, exemption.reason) for finding, exemption in judged.exempt]
    results = [*(_result(finding) for finding in scan.findings), *exempt]
    rules = sorted({result["ruleId"] for result in results})
    run = {
        "tool": {"driver": {"name": scan.scanner, "rules": [{"id": rule} for rule in rules]}},
        "automationDetails": {"id": f"{scan.scanner}/{scan.subject}"},
        "results": results,
        "invocations": [_invocation(scan.unproven)],
    }
    file = folder / f"{re.sub(r'[^a-z0-9.]+', '-', f'{scan.scanner}-{scan.subject}'.lower())}.sarif"
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    file.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return file


def _result(finding: ScanFinding, reason: str | None = None) -> dict[str, Any]:
    is_file = "." in Path(finding.where).name and "/" in finding.where
    place: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": finding.where}]}
    if is_file:
        place["physicalLocation"] = {
            "artifactLocation": {"uri": finding.where},
            "region": {"startLine": finding.line},
        }
    result = {
        "ruleId": finding.check,
        "level": finding.level,
        "message": {"text": f"{finding.where}: {finding.message}"},
        "locations": [place],
    }
    return result | ({"suppressions": [{"kind": "external", "justification": reason}]} if reason else {})


def _invocation(unproven: str) -> dict[str, Any]:
    if not unproven:
        return {"executionSuccessful": True}
    notice = {"level": "warning", "message": {"text": f"not proven: {unproven}"}}
    return {"executionSuccessful": False, "toolExecutionNotifications": [notice]}
