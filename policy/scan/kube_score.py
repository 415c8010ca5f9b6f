"""kube-score on the rendered objects."""

from pathlib import Path
from typing import Any

from policy.scan.findings import Level, Scan, ScanFinding, demand_objects
from policy.scan.programs import Programs, run_json

# Off by default, and of use here. The other optional checks want requests equal to limits, which would reserve for
# every pod what it needs only at its peak.
_OPTIONAL_CHECKS = ("container-seccomp-profile", "container-ports-check")
_CRITICAL, _GOOD = 1, 10


def scan(programs: Programs, subject: str, folder: Path, kubernetes: str) -> Scan:
    """Judge all objects in a folder together, because several checks look from one object to another.

    Args:
        programs: The scanners.
        subject: Name of the stack.
        folder: Its rendered objects.
        kubernetes: Minor version that decides which API versions are deprecated, such as `1.35`.
    """
    command: list[str | Path] = [programs.path("kube-score"), "score", "--output-format", "json"]
    # An annotation would hide a finding from us; exceptions.yaml does not.
    command += ["--disable-ignore-checks-annotations", "--kubernetes-version", f"v{kubernetes}"]
    for check in _OPTIONAL_CHECKS:
        command += ["--enable-optional-test", check]
    objects = run_json([*command, *sorted(folder.glob("*.yaml"))], folder)
    findings, skipped = set(), 0
    for each in objects:
        where = f"{each['type_meta']['kind']}/{each['object_meta']['name']}"
        for check in each["checks"]:
            skipped += check["skipped"] and not _is_off(check)
            if not check["skipped"] and check["grade"] < _GOOD:
                findings |= _findings(where, check)
    return demand_objects(Scan("kube-score", subject, len(objects), tuple(sorted(findings)), skipped))


def _is_off(check: Any) -> bool:
    return check["check"]["optional"] and check["check"]["id"] not in _OPTIONAL_CHECKS


def _findings(where: str, check: Any) -> set[ScanFinding]:
    level: Level = "error" if check["grade"] == _CRITICAL else "warning"
    comments = check["comments"] or [{"path": "", "summary": check["check"]["comment"]}]
    texts = {": ".join(filter(None, (each["path"], each["summary"]))) for each in comments}
    return {ScanFinding(check["check"]["id"], where, text, level) for text in texts}
