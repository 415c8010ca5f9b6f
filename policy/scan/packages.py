"""pip-audit on the pinned Python packages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from policy.scan.findings import Scan, ScanFinding, ScannerError
from policy.scan.programs import Programs, run_json
from tools import uv

_SERVICES = ("pypi", "osv")


def locked(root: Path, folder: Path) -> Iterator[Path]:
    """Write the packages of each uv.lock into a file of requirements, and return these.

    Args:
        root: The checkout: its own lock file, and those of the projects below tools/python.
        folder: Where the files go.

    Raises:
        ToolsUnavailableError: uv cannot list the packages.
    """
    projects = {"platform": root} | {lock.parent.name: lock.parent for lock in root.glob("tools/python/*/uv.lock")}
    for name, project in sorted(projects.items()):
        requirements = folder / f"{name}.txt"
        options = ("--quiet", "--frozen", "--all-groups", "--no-emit-project", "--no-annotate")
        uv.run(["export", *options, "--project", project, "--output-file", requirements])
        yield requirements


def scan(programs: Programs, requirements: Path, services: tuple[str, ...] = _SERVICES) -> Scan:
    """Ask for known vulnerabilities of all packages of a file, at the first service that knows them.

    Neither service can be asked on every machine. Then nothing is proven, and the scan says so.
    """
    reasons = []
    for service in services:
        try:
            packages = _ask(programs, requirements, service)
        except ScannerError as error:
            reasons.append(f"{service}: {str(error).splitlines()[-1]}")
            continue
        judged = [each for each in packages if "skip_reason" not in each]
        if len(judged) == len(packages) > 0:
            findings = (_finding(each, known) for each in judged for known in each["vulns"])
            return Scan("pip-audit", requirements.name, len(judged), tuple(sorted(set(findings))))
        reasons.append(f"{service}: knows {len(judged)} of {len(packages)} packages")
    return Scan("pip-audit", requirements.name, 0, unproven="no service could be asked; " + "; ".join(reasons))


def _ask(programs: Programs, requirements: Path, service: str) -> list[Any]:
    command: list[str | Path] = [
        programs.path("pip-audit"),
        "--disable-pip",
        "--progress-spinner",
        "off",
        "--format",
        "json",
    ]
    # An advisory that is excepted by name would be hidden from us; exceptions.yaml does not hide.
    command += ["--vulnerability-service", service, "--requirement", requirements]
    return list(run_json(command, requirements.parent)["dependencies"])


def _finding(package: Any, known: Any) -> ScanFinding:
    fixed = ", ".join(known["fix_versions"]) or "no release"
    message = f"{package['name']} {package['version']} has {known['id']}; fixed in {fixed}"
    return ScanFinding(known["id"], package["name"], message)
