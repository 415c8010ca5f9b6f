"""`python -m policy.scan [STACK ...]`: other projects' scanners over the stacks, the workflows and the packages."""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

import tools
from components.settings.operator_images import operator_repositories
from policy.command import run
from policy.scan import checkov, inline, kube_score, kubeconform, packages, trivy, workflows
from policy.scan.exceptions import JudgedScan, judge, load_exemptions
from policy.scan.findings import Scan, ScannerError
from policy.scan.programs import Programs
from policy.scan.report import as_text
from policy.scan.sarif import write_sarif
from policy.scan.schemas import custom_resources
from policy.stacks import Stack, load_stacks, stack_names
from rendering.files import render
from rendering.root import ROOT

OUTPUT = ROOT / "scan-results"
"""Folder of the rendered objects and the SARIF files; it is replaced by each scan."""

# The scanners wait for the disk and for each other; more at a time than this only makes a small machine swap.
_PARALLEL = 4
Job = tuple[Callable[[], Scan], dict[str, Any]]


def stack_jobs(programs: Programs, stack: Stack, folder: Path) -> Iterator[Job]:
    """Everything that can be scanned of one stack, each with the stack's settings.

    Args:
        programs: The scanners.
        stack: The stack.
        folder: Empty folder for its rendered objects.

    Raises:
        ScannerError: Two objects have one file name, so one would be lost.
    """
    objects = folder / stack.name
    files = render(stack.manifests, objects)
    if len(set(files)) != len(stack.manifests):
        raise ScannerError(f"{stack.name} renders two objects of one kind and name; the scan would lose one")
    settings = stack.platform.model_dump(mode="json", by_alias=True)
    minors = kubeconform.minor_versions()
    yield partial(checkov.scan, programs, stack.name, objects), settings
    yield partial(kube_score.scan, programs, stack.name, objects, minors[-1]), settings
    for minor in minors:
        yield partial(kubeconform.scan, programs, stack.name, objects, stack.manifests, minor), settings
    yield partial(trivy.scan, programs, stack.name, objects, registries=_registries(stack)), settings
    yield partial(inline.scan, stack.name, {file.name: file for file in files}), settings


def _registries(stack: Stack) -> set[str]:
    """First parts of the repositories that the stack admits; an official image of the default registry has none."""
    repositories = {image.repository for _, image in stack.platform.images()}
    repositories |= operator_repositories(stack.platform)
    return {repository.split("/")[0] for repository in repositories if "/" in repository}


def repository_jobs(programs: Programs, root: Path, folder: Path) -> Iterator[Job]:
    """Everything that can be scanned of the repository itself.

    Args:
        programs: The scanners.
        root: The checkout.
        folder: Where the lists of Python packages go.

    Raises:
        ToolsUnavailableError: uv cannot list the packages.
    """
    files = workflows.workflow_files(root)
    yield partial(trivy.scan, programs, "images", root / "images", "dockerfile"), {}
    yield partial(workflows.actionlint, programs, root), {}
    yield partial(workflows.zizmor, programs, root), {}
    yield partial(inline.scan, workflows.SUBJECT, {str(file.relative_to(root)): file for file in files}), {}
    for requirements in packages.locked(root, folder):
        yield partial(packages.scan, programs, requirements), {}


def scan_all(programs: Programs, stacks: Sequence[Stack], folder: Path) -> list[JudgedScan]:
    """Run every scanner over stacks and the repository.

    Raises:
        ScannerError: A scanner did not do its work.
    """
    exemptions = load_exemptions()
    jobs = [job for stack in stacks for job in stack_jobs(programs, stack, folder)]
    jobs += repository_jobs(programs, ROOT, folder)
    # Once, before several threads want them at the same time.
    custom_resources()
    with ThreadPoolExecutor(_PARALLEL) as pool:
        return list(pool.map(lambda job: judge(job[0](), exemptions, job[1]), jobs))


def main(
    stacks: Annotated[list[str] | None, typer.Argument(help="Stacks to scan; all when left out.")] = None,
) -> None:
    """Scan; exit 1 with a finding, 3 when a scanner cannot be had or does not do its work."""
    # First: scanners may have to be built.
    chosen = list(load_stacks(stacks or []))
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)
    try:
        judged = scan_all(Programs.provide(), chosen, OUTPUT)
    except (ScannerError, tools.ToolsError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(3)
    used = {exemption for each in judged for _, exemption in each.exempt}
    # A scan of one stack cannot know what the others need.
    is_whole = set(stacks or stack_names()) >= set(stack_names())
    unused = [each for each in load_exemptions() if each not in used] if is_whole else []
    typer.echo(as_text(judged, unused))
    written = [write_sarif(each, OUTPUT) for each in judged]
    typer.echo(f"{len(written)} SARIF files in {OUTPUT.relative_to(ROOT)}")
    sys.exit(1 if unused or any(each.scan.findings for each in judged) else 0)


if __name__ == "__main__":
    run(main)
