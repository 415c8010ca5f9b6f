"""trivy's checks of configurations, on the rendered objects and on the Dockerfiles."""

import json
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from policy.manifests import kind_of, name_of
from policy.scan.findings import Level, Scan, ScanFinding, demand_objects
from policy.scan.programs import Programs, run_json

_WARNINGS = frozenset({"LOW", "MEDIUM", "UNKNOWN"})


def scan(
    programs: Programs, subject: str, folder: Path, scanners: str = "kubernetes", registries: Collection[str] = ()
) -> Scan:
    """Judge everything in a folder by the checks that trivy carries in itself; newer ones are not fetched.

    Args:
        programs: The scanners.
        subject: Name of what lies in the folder.
        folder: What is judged.
        scanners: Which of trivy's checks: `kubernetes` or `dockerfile`.
        registries: Registries, or teams on the default one, from which images may come.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # The parameter of the check for images from elsewhere; without it, it trusts three cloud providers.
        data = Path(scratch) / "parameters.yaml"
        data.write_text(json.dumps({"ksv0125": {"trusted_registries": sorted(registries)}}), "utf-8")
        results = _results(programs, folder, ["--misconfig-scanners", scanners, "--config-data", scratch], scratch)
    judged = [each for each in results if _number_of_checks(each)]
    findings = {
        _finding(folder / each["Target"], problem)
        for each in judged
        for problem in each.get("Misconfigurations") or ()
        if problem["Status"] == "FAIL"
    }
    return demand_objects(Scan("trivy config", subject, len(judged), tuple(sorted(findings))))


def _results(programs: Programs, folder: Path, options: list[str], scratch: str) -> list[Any]:
    command: list[str | Path] = [programs.path("trivy"), "config", "--format", "json", "--quiet"]
    # An empty cache, so that no checks of an earlier download take part.
    command += ["--skip-check-update", "--skip-version-check", "--disable-telemetry", "--cache-dir", f"{scratch}/cache"]
    # Without the ignore file and the configuration that might lie in the folder.
    command += ["--ignorefile", "/dev/null", "--config", "/dev/null", "--include-non-failures", *options, folder]
    return run_json(command, folder, (0,)).get("Results") or []


def _number_of_checks(result: Any) -> int:
    summary = result.get("MisconfSummary") or {}
    return int(summary.get("Successes", 0)) + int(summary.get("Failures", 0))


def _finding(file: Path, problem: Any) -> ScanFinding:
    level: Level = "warning" if problem["Severity"] in _WARNINGS else "error"
    where = file.name
    if file.suffix == ".yaml":
        manifest = yaml.safe_load(file.read_text("utf-8"))
        where = f"{kind_of(manifest)}/{name_of(manifest)}"
    return ScanFinding(problem["ID"], where, problem["Message"], level)
