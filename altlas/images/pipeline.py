"""The commands that make a release of the images: the same ones on a laptop and in CI."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from altlas.images.errors import ImageRefusedError
from altlas.images.lock import refused
from components.settings import PlatformSettings
from components.settings.builds import SourceBuildSettings
from components.stack.image_build import RUNTIME_OF, SHARED_CONTEXT, image_build
from rendering.errors import CommandError, ExitCode
from rendering.folders import make_folder
from tools.manifest import Manifest

BASE_NAMES = tuple(f"{runtime}-{stage}" for runtime in dict.fromkeys(RUNTIME_OF.values()) for stage in ("build", "run"))
"""Base images that a build must be given: for each runtime one with the compiler and one for the result."""


_REVISION = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True)
class Build:
    """A release of images: source and target.

    Attributes:
        source: Source and base images; its commit is also the tag.
        registry: Repository prefix.
        out: Folder for what the commands write.
        root: The project's root.
        key: Private key to sign with; None signs keyless, with the identity of the CI job and a transparency log.
    """

    source: SourceBuildSettings
    registry: str
    out: Path
    root: Path
    key: Path | None = None

    def repository(self, service: str) -> str:
        """Repository of a service's image."""
        return f"{self.registry}/{service}"

    def reference(self, service: str) -> str:
        """Repository and tag of a service's image."""
        return f"{self.repository(service)}:{self.source.revision}"

    @property
    def signing(self) -> tuple[str, ...]:
        """Options of cosign that say who signs."""
        return ("--yes", *(("--key", str(self.key), "--tlog-upload=false") if self.key else ()))


@dataclass(frozen=True, kw_only=True)
class GivenSource:
    """Options about the source; missing ones come from the stack file's `builds.fromSource`.

    Attributes:
        checkout: Folder with one folder for each service.
        revision: Commit of the source.
        committed_at: Time of the commit in seconds since 1970.
        bases: Base images by name, such as go-build.
    """

    checkout: Path | None
    revision: str | None
    committed_at: int | None
    bases: Mapping[str, str]

    def __post_init__(self) -> None:
        """Check the commit, of which a branch's name would be none.

        Raises:
            ImageRefusedError: It is no commit.
        """
        if self.revision is not None and not _REVISION.fullmatch(self.revision):
            raise ImageRefusedError(f"{self.revision!r} is no commit; write its 40 hexadecimal digits")

    def over(self, settings: SourceBuildSettings | None) -> SourceBuildSettings:
        """The source to build from.

        Raises:
            ImageRefusedError: Names what is missing or wrong.
        """
        document: dict[str, Any] = settings.model_dump(mode="json", by_alias=True) if settings else {"bases": {}}
        checkout = str(self.checkout.absolute()) if self.checkout else None
        given = {"checkout": checkout, "revision": self.revision, "committedAt": self.committed_at}
        document |= {key: value for key, value in given.items() if value is not None}
        for name, image in self._checked_bases(document["bases"]).items():
            runtime, _, stage = name.rpartition("-")
            document["bases"].setdefault(runtime, {})[stage] = image
        try:
            return SourceBuildSettings.model_validate_json(json.dumps(document))
        except ValidationError as error:
            problem = error.errors()[0]
            key = ".".join(map(str, problem["loc"]))
            raise ImageRefusedError(
                f"the source's {key} is not usable ({problem['msg']}); give it with --source, --revision, --epoch and "
                "--base, or write it to builds.fromSource in the stack file"
            ) from None

    def _checked_bases(self, known: Mapping[str, Any]) -> Mapping[str, str]:
        missing = [name for name in BASE_NAMES if name not in self.bases and name.rpartition("-")[0] not in known]
        unknown = [name for name in self.bases if name not in BASE_NAMES]
        if missing or unknown:
            problem = f"lacks {', '.join(missing)}" if missing else f"does not know {', '.join(unknown)}"
            raise ImageRefusedError(
                f"--base {problem}; give each of {', '.join(BASE_NAMES)} as NAME=REPOSITORY@sha256:..., with the "
                "digest that its registry shows today; none is written here, because none was verified"
            )
        for name, image in self.bases.items():
            if "@sha256:" not in image:
                raise ImageRefusedError(
                    f"the base image {image!r} for {name} has no digest, so two builds could differ; write it as "
                    "repository@sha256:... with the digest that its registry shows"
                )
        return self.bases


@dataclass(frozen=True)
class Step:
    """One command of the pipeline.

    Attributes:
        what: What it is for.
        command: Program and arguments.
    """

    what: str
    command: tuple[str, ...]

    def as_text(self) -> str:
        """The command for a shell, and whether its program is here."""
        here = "" if shutil.which(self.command[0]) else f"  [not proven here: {self.command[0]} is not installed]"
        return f"# {self.what}{here}\n{shlex.join(self.command)}"

    def run(self, root: Path) -> None:
        """Run the command.

        Raises:
            CommandError: Its program is missing, or it failed; the steps after it are not run.
        """
        if shutil.which(self.command[0]) is None:
            raise CommandError(
                f"{self.command[0]} is not installed, so this step ({self.what}) is not done and the release is not "
                f"made; {_cure(self.command[0])} and start again",
                ExitCode.NO_TOOLS,
            )
        if subprocess.run(self.command, cwd=root, check=False, env=os.environ).returncode:
            raise CommandError(f"{shlex.join(self.command)} failed, so the release is not made; see its output above")


def _cure(program: str) -> str:
    if program in Manifest.load().programs():
        return f'put the pinned one on PATH (PATH="$(dirname "$(python3 -m tools path {program})"):$PATH")'
    return "install it"


def bake_file(build: Build, platform: PlatformSettings) -> dict[str, Any]:
    """The services' builds as `docker buildx bake` reads them.

    Raises:
        ImageRefusedError: A build context holds secrets or history, a base has no digest, or an image ends as root.
    """
    targets = {}
    for service in RUNTIME_OF:
        with refused():
            inputs = image_build(service, platform, build.source, build.root)
        targets[service] = {
            "context": str(inputs.context),
            "contexts": {SHARED_CONTEXT: str(inputs.shared)},
            "dockerfile": str(inputs.dockerfile),
            "args": dict(inputs.arguments),
            "tags": [build.reference(service)],
            "platforms": ["linux/amd64", "linux/arm64"],
            "output": ["type=registry,rewrite-timestamp=true,oci-mediatypes=true"],
            "attest": ["type=provenance,mode=max"],
        }
    return {"group": {"default": {"targets": list(targets)}}, "target": targets}


def warnings(build: Build, platform: PlatformSettings) -> Iterator[str]:
    """Reasons why another build of the same source may hold something else.

    Raises:
        ImageRefusedError: As for `bake_file`.
    """
    for service in RUNTIME_OF:
        with refused():
            warning = image_build(service, platform, build.source, build.root).warning
        if warning:
            yield warning


def steps(build: Build, platform: PlatformSettings) -> Iterator[Step]:
    """Write the bake file and tell the commands, in their order.

    Build and push is one step, so tags never move. What the lock refuses, a finding above the threshold for one, is
    neither signed nor attested.
    """
    document = bake_file(build, platform)
    make_folder(build.out)
    file, metadata = build.out / "docker-bake.json", build.out / "digests.json"
    file.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    yield Step("build and push", ("docker", "buildx", "bake", "--file", str(file), "--metadata-file", str(metadata)))
    for service in RUNTIME_OF:
        yield from _steps_of(service, build)


def _steps_of(service: str, build: Build) -> Iterator[Step]:
    image = build.reference(service)
    sbom, trivy, grype = (str(build.out / f"{service}.{name}.json") for name in ("spdx", "trivy", "grype"))
    scan = ("trivy", "image", "--format", "json", "--output", trivy, "--scanners", "vuln", image)
    lock = {
        "repository": build.repository(service),
        "tag": build.source.revision,
        "revision": build.source.revision,
        "built-at": build.source.release.created,
        "sbom": sbom,
    }
    options = [f"--{name}={text}" for name, text in lock.items()]
    attested = ("--type", "spdxjson", "--predicate", sbom)
    yield Step(f"{service}: list what is in it", ("syft", "scan", f"registry:{image}", "-o", f"spdx-json={sbom}"))
    yield Step(f"{service}: first scanner", scan)
    yield Step(f"{service}: second scanner", ("grype", f"registry:{image}", "--output", "json", "--file", grype))
    yield Step(
        f"{service}: lock what nothing speaks against",
        ("altlas", "images", "lock", service, *options, f"--report={trivy}", f"--report={grype}"),
    )
    yield Step(f"{service}: sign", ("cosign", "sign", *build.signing, "--recursive", image))
    yield Step(f"{service}: attest", ("cosign", "attest", *build.signing, *attested, image))
