"""actionlint and zizmor on the workflows of CI."""

from pathlib import Path
from typing import Any

from policy.scan.findings import Level, Scan, ScanFinding, demand_objects
from policy.scan.programs import Programs, run_json

SUBJECT = "workflows"
_WARNINGS = frozenset({"Informational", "Low", "Unknown"})


def workflow_files(root: Path) -> list[Path]:
    """The workflows of a repository."""
    folder = root / ".github" / "workflows"
    return sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")])


def actionlint(programs: Programs, root: Path) -> Scan:
    """Check syntax, expressions, inputs of well-known actions and what untrusted input may reach."""
    files = workflow_files(root)
    # The two linters that it can start besides depend on what this machine has.
    command: list[str | Path] = [
        programs.path("actionlint"),
        "-shellcheck=",
        "-pyflakes=",
        "-no-color",
        "-format",
        "{{json .}}",
    ]
    answer = run_json([*command, *files], root)
    findings = {ScanFinding(each["kind"], _relative(each["filepath"], root), each["message"], "error", each["line"])
                for each in answer or ()}  # fmt: skip
    return demand_objects(Scan("actionlint", SUBJECT, len(files), tuple(sorted(findings))))


def zizmor(programs: Programs, root: Path) -> Scan:
    """Check what an attacker could make of a workflow, at its strictest, without asking GitHub."""
    files = workflow_files(root)
    command: list[str | Path] = [
        programs.path("zizmor"),
        "--offline",
        "--no-config",
        "--no-exit-codes",
        "--persona",
        "auditor",
    ]
    answer = run_json([*command, "--format", "json-v1", *files], root, (0,))
    findings = {_zizmor_finding(each, root) for each in answer}
    return demand_objects(Scan("zizmor", SUBJECT, len(files), tuple(sorted(findings))))


def _zizmor_finding(finding: Any, root: Path) -> ScanFinding:
    level: Level = "warning" if finding["determinations"]["severity"] in _WARNINGS else "error"
    place = finding["locations"][0]
    file = place["symbolic"]["key"]["Local"]["verbatim_path"]
    line = place["concrete"]["location"]["start_point"]["row"] + 1
    return ScanFinding(finding["ident"], _relative(file, root), finding["desc"], level, line)


def _relative(file: str, root: Path) -> str:
    path = Path(file)
    return str(path.relative_to(root)) if path.is_absolute() else file
