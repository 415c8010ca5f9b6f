"""checkov on the rendered objects."""

from pathlib import Path

from policy.scan.findings import Scan, ScanFinding, ScannerError, demand_objects
from policy.scan.programs import Programs, run_json


def scan(programs: Programs, subject: str, folder: Path) -> Scan:
    """Judge all objects in a folder by all of checkov's rules for Kubernetes.

    Raises:
        ScannerError: It could not read an object.
    """
    command: list[str | Path] = [programs.path("checkov"), "--framework", "kubernetes", "--directory", folder]
    # What would be downloaded are links to its documentation.
    answer = run_json([*command, "--output", "json", "--compact", "--quiet", "--skip-download"], folder)
    # Without anything to judge it writes only the summary.
    summary = answer.get("summary", answer)
    if summary["parsing_errors"]:
        raise ScannerError(f"checkov could not read {summary['parsing_errors']} objects of {subject}")
    failed = answer.get("results", {}).get("failed_checks", [])
    findings = {ScanFinding(each["check_id"], _where(each["resource"]), each["check_name"]) for each in failed}
    return demand_objects(
        Scan("checkov", subject, summary["resource_count"], tuple(sorted(findings)), summary["skipped"])
    )


def _where(resource: str) -> str:
    """`Kind/name` from checkov's `Kind.namespace.name`; names may have dots, namespaces do not."""
    kind, _, name = resource.split(".", 2)
    return f"{kind}/{name}"
