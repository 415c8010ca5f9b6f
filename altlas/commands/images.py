"""`altlas images ...`: what the images are built with, which are locked, which are retired."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from altlas.commands.lazy import command_group
from altlas.commands.options import Stack
from altlas.images.errors import ImageRefusedError
from altlas.images.findings import EXCEPTIONS_NAME, read_exceptions
from altlas.images.lock import refused, write_lock
from altlas.images.locking import Candidate, check_prefix, check_stack, check_usable, lock_image, pinned, verify
from altlas.images.pipeline import Build, GivenSource, steps, warnings
from altlas.images.registry import digest_of_tag
from altlas.images.retire import RECORD_NAME, record, retirement
from altlas.images.runtimes import runtime_reports
from altlas.session.console import report as tell
from altlas.session.console import workspace
from altlas.session.table import table_text
from components.stack.image_build import RUNTIME_OF
from components.stack.image_lock import LOCK_NAME, ImageLock, read_lock
from components.stack.loading import read_platform
from rendering.errors import CommandError

_REVISION = "Commit of the source, 40 hexadecimal digits."
_STACK = "Without it the stack file's, see builds.fromSource."

app = command_group(help="Images of the services: runtimes, lock, retirement.")


@app.command(name="runtimes")
def runtimes(stack: Stack) -> None:
    """Print the runtime of each image of a stack, and those that are past their end of life."""
    today = datetime.now(UTC).date()
    reports = runtime_reports(read_platform(workspace().stack_file(stack)))
    headings = ("SERVICE", "RUNTIME", "VERSION", "FOUND", "SUPPORT")
    typer.echo(table_text(headings, (each.as_row(today) for each in reports)))


@app.command(name="lock")
def lock(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="Name of the service.")],
    *,
    repository: Annotated[str, typer.Option(help="Repository without tag.")],
    tag: Annotated[str, typer.Option(help="Tag of the release.")],
    digest: Annotated[str | None, typer.Option(help="What the build has reported; without it the registry's.")] = None,
    revision: Annotated[str, typer.Option(help=_REVISION)],
    built_at: Annotated[str, typer.Option(help="Time of the build in UTC, such as 2026-01-31T12:00:00Z.")],
    sbom: Annotated[Path, typer.Option(help="SPDX or CycloneDX file in JSON, below the project's root.")],
    report: Annotated[list[Path], typer.Option(help="Report of Trivy or Grype in JSON; both are needed.")],
) -> None:
    """Put a built and scanned image into the lock, if its registry has it and nothing speaks against it."""
    here = workspace()
    release = {"repository": repository, "tag": tag, "revision": revision, "built_at": built_at}
    check_usable(f"{repository}:{tag}", "be locked")
    if service not in RUNTIME_OF:
        raise ImageRefusedError(f"{service!r} is no service; known: {', '.join(RUNTIME_OF)}")
    found = digest or digest_of_tag(repository, tag)
    candidate = Candidate(service=service, digest=found, sbom=sbom, reports=report, root=here.root, **release)
    with here.only_one(f"images lock {service}"), refused():
        file = here.root / LOCK_NAME
        exceptions = read_exceptions(here.root / EXCEPTIONS_NAME)
        today = datetime.now(UTC).date()
        write_lock(file, lock_image(read_lock(file) or ImageLock(), candidate, exceptions, digest_of_tag, today))
    tell(f"{service} is locked to {repository}:{tag}@{found}.")


@app.command(name="verify")
def verify_lock(
    stack: Annotated[str | None, typer.Option(help="Also check that this stack deploys what is locked.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the registry.")] = False,
) -> None:
    """Check the lock: its checksum, the SBOMs, and that the registry still has each digest under its tag."""
    lock = _existing_lock()
    verify(lock, workspace().root, None if offline else digest_of_tag)
    if stack is not None:
        check_stack(lock, read_platform(workspace().stack_file(stack)), stack)
    note = " not proven here: the registry was not asked." if offline else ""
    typer.echo(f"{len(lock.images)} locked images are as they were locked.{note}")


@app.command(name="pin")
def pin(stack: Stack) -> None:
    """Write the locked images with their digests into a stack file, so that `pulumi up` deploys by digest."""
    here = workspace()
    file = here.stack_file(stack)
    read_platform(file)
    with here.only_one(f"images pin {stack}"):
        file.write_text(pinned(file.read_text(encoding="utf-8"), _existing_lock()), encoding="utf-8")
    typer.echo(f"{file.name} has the images of {LOCK_NAME}.", err=True)


@app.command(name="retire")
def retire(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="Repository and tag.")],
    archive: Annotated[str, typer.Option(help="Repository prefix that keeps retired images.")],
    replaced_by: Annotated[str | None, typer.Option(help="Repository and tag of the image in use.")] = None,
) -> None:
    """Record that an image is out of use, and print the commands that archive and remove it in its registry."""
    here = workspace()
    check_prefix(archive, "--archive")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with here.only_one(f"images retire {image}"), refused():
        retired = retirement(image, replaced_by, read_lock(here.root / LOCK_NAME), now)
        record(here.root / RECORD_NAME, retired)
    typer.echo("\n".join(retired.commands(archive)))
    typer.echo("not proven here: these commands were not run; they need the registry's owner.", err=True)


@app.command(name="pipeline")
def pipeline(
    stack: Annotated[
        str, typer.Argument(metavar="STACK", help="Name of a stack; its settings decide ports and health paths.")
    ],
    *,
    source: Annotated[Path | None, typer.Option(help=f"Folder that holds the source of each service. {_STACK}")] = None,
    registry: Annotated[str, typer.Option(help="Repository prefix to push to.")],
    revision: Annotated[str | None, typer.Option(help=f"{_REVISION} {_STACK}")] = None,
    epoch: Annotated[int | None, typer.Option(help=f"Time of that commit, seconds since 1970. {_STACK}")] = None,
    out: Annotated[Path, typer.Option(help="Folder for bake file, SBOMs and reports.")],
    base: Annotated[list[str] | None, typer.Option(help="NAME=REPOSITORY@sha256:..., such as go-build=...")] = None,
    key: Annotated[
        Path | None, typer.Option(help="Private key of cosign; without it the signature is keyless.")
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="Run the commands instead of printing them.")] = False,
) -> None:
    """Write the bake file and print, or run, the commands that build, list, scan, sign and attest the images."""
    here = workspace()
    platform = read_platform(here.stack_file(stack))
    check_prefix(registry, "--registry")
    bases = dict(text.partition("=")[::2] for text in base or ())
    given = GivenSource(checkout=source, revision=revision, committed_at=epoch, bases=bases)
    build = Build(source=given.over(platform.builds.from_source), registry=registry, out=out, root=here.root, key=key)
    for warning in warnings(build, platform):
        tell(f"warning: {warning}")
    for step in steps(build, platform):
        typer.echo(step.as_text())
        if run:
            step.run(here.root)


def _existing_lock() -> ImageLock:
    with refused():
        lock = read_lock(workspace().root / LOCK_NAME)
    if lock is None or not lock.images:
        raise CommandError(
            f"there is no {LOCK_NAME} with images in it yet, so the stacks deploy by tag; lock the images that a "
            "registry has with `altlas images lock`"
        )
    return lock
