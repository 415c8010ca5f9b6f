"""kubeconform on the rendered objects, against several minor versions of Kubernetes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tools
from policy.manifests import Manifest
from policy.scan.findings import Scan, ScanFinding, ScannerError, demand_objects
from policy.scan.programs import Programs, run_json
from policy.scan.schemas import TEMPLATE, write_schemas

_MINORS = 3


def minor_versions() -> list[str]:
    """The minor version that the project pins and the two before it, oldest first."""
    major, minor, _ = tools.pinned_version("kube-apiserver").split(".")
    return [f"{major}.{int(minor) - age}" for age in reversed(range(_MINORS))]


def scan(programs: Programs, subject: str, folder: Path, manifests: Sequence[Manifest], minor: str) -> Scan:
    """Check every object against its schema; a kind without one is a finding.

    Args:
        programs: The scanners.
        subject: Name of the stack.
        folder: Its rendered objects; schemas are written beside them.
        manifests: The same objects.
        minor: Kubernetes version, such as `1.35`.

    Raises:
        ScannerError: An object was left out.
    """
    schemas = folder.with_name(f"{folder.name}-schemas-{minor}")
    write_schemas(programs, minor, manifests, schemas)
    command: list[str | Path] = [
        programs.path("kubeconform"),
        "-strict",
        "-output",
        "json",
        "-verbose",
        "-kubernetes-version",
    ]
    command += [f"{minor}.0", "-schema-location", f"{schemas}/{TEMPLATE}"]
    resources = run_json([*command, *sorted(folder.glob("*.yaml"))], folder)["resources"]
    if len(resources) != len(manifests):
        raise ScannerError(f"kubeconform judged {len(resources)} of {len(manifests)} objects of {subject}")
    findings = {_finding(each) for each in resources if each["status"] in ("statusInvalid", "statusError")}
    skipped = sum(each["status"] not in ("statusValid", "statusInvalid", "statusError") for each in resources)
    name = f"kubeconform {minor}"
    return demand_objects(Scan(name, subject, len(resources), tuple(sorted(findings)), skipped))


def _finding(resource: Any) -> ScanFinding:
    check = resource["status"].removeprefix("status").lower()
    return ScanFinding(check, f"{resource['kind']}/{resource['name']}", resource["msg"])
