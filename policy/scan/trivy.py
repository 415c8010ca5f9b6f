"""trivy's checks of configurations, on the rendered objects and on the Dockerfiles."""

from pathlib import Path
from typing import Any

from policy.scan.findings import Finding, Level, Scan, demand_objects
from policy.scan.programs import Programs, run_json

_WARNINGS = frozenset({"LOW", "MEDIUM", "UNKNOWN"})


def scan(programs: Programs, subject: str, folder: Path, scanners: str = "kubernetes") -> Scan:
    """Judge everything in a folder by the checks that trivy carries in itself; newer ones are not fetched.

    Args:
        programs: The scanners.
        subject: Name of what lies in the folder.
        folder: What is judged.
        scanners: Which of trivy's checks: `kubernetes` or `dockerfile`.
    """
    command: list[str | Path] = [programs.path("trivy"), "config", "--format", "json", "--quiet"]
    command += ["--skip-check-update", "--skip-version-check", "--disable-telemetry"]
    # Without the ignore file and the configuration that might lie in the folder.
    command += ["--ignorefile", "/dev/null", "--config", "/dev/null", "--misconfig-scanners", scanners]
    results = run_json([*command, "--include-non-failures", folder], folder, (0,)).get("Results") or []
    judged = [each for each in results if _number_of_checks(each)]
    findings = {
        _finding(each, problem)
        for each in judged
        for problem in each.get("Misconfigurations") or ()
        if problem["Status"] == "FAIL"
    }
    return demand_objects(Scan("trivy config", subject, len(judged), tuple(sorted(findings))))


def _number_of_checks(result: Any) -> int:
    summary = result.get("MisconfSummary") or {}
    return int(summary.get("Successes", 0)) + int(summary.get("Failures", 0))


def _finding(result: Any, problem: Any) -> Finding:
    level: Level = "warning" if problem["Severity"] in _WARNINGS else "error"
    return Finding(problem["ID"], Path(result["Target"]).stem, problem["Message"], level)
