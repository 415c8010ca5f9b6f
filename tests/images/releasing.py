"""A release in the making: the stand-in images in a registry here, and the pipeline's own commands on them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from altlas.images.pipeline import Build, Step, steps
from cluster.node.images.builder import default_cache
from cluster.node.images.exported import ExportedImage
from components.settings.builds import SourceBuildSettings
from components.stack.image_build import RUNTIME_OF
from components.stack.image_lock import LOCK_NAME
from tests.e2e.conftest import Project
from tests.images.loopback_registry import PREFIX, LoopbackRegistry, loopback_registry
from tests.images.proof import COMMITTED_AT, REVISION, built_once
from tests.images.vulnerability_databases import Advisory, databases
from tests.support.documents import ROOT, alpha_settings
from tools.errors import ToolsUnavailableError

OTHER = "sha256:" + "0" * 64
HARMLESS = Advisory("STAND-IN-1", "medium", "acorn", "9.0.0")
"""What both scanners find in the gateway's image, and what keeps no image from being released."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExportedImage]:
    """The stand-in images by service."""
    try:
        return built_once(default_cache(), tmp_path_factory.mktemp("images"))
    except ToolsUnavailableError as error:
        reason = f"not proven here: no image is pushed, scanned, signed, locked or deployed by digest, because {error}"
        print(reason)
        pytest.skip(reason)


@pytest.fixture(scope="module")
def registry(images: dict[str, ExportedImage], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackRegistry]:
    """A registry that holds the images."""
    with loopback_registry(tmp_path_factory.mktemp("registry")) as running:
        running.push(images)
        yield running


@dataclass(frozen=True)
class Release:
    """The pipeline's own commands after the push, in the surroundings of this machine.

    Attributes:
        steps: The commands of all services.
        project: Where SBOMs, reports and lock are kept.
        registry: Where the images are.
        databases: Variables by which the scanners find theirs.
    """

    steps: tuple[Step, ...]
    project: Project
    registry: LoopbackRegistry
    databases: dict[str, str]

    def run(self, program: str, service: str, **variables: str) -> None:
        """Run the commands of a service that a program does."""
        self._run([step for step in self.of(service) if step.command[0] == program], variables)

    def run_all(self, service: str, **variables: str) -> None:
        """Run all commands of a service, up to the first that fails."""
        self._run(self.of(service), variables)

    def _run(self, chosen: Sequence[Step], variables: Mapping[str, str]) -> None:
        assert chosen
        with pytest.MonkeyPatch.context() as patch:
            own = {"ALT_LAS_ROOT": str(self.project.root)}
            for name, text in {**self.registry.variables(), **own, **self.databases, **variables}.items():
                patch.setenv(name, text)
            for step in chosen:
                step.run(self.project.root)

    def of(self, service: str) -> tuple[Step, ...]:
        """The commands of a service, in their order."""
        return tuple(step for step in self.steps if step.what.startswith(f"{service}: "))

    def file(self, service: str, kind: str) -> Path:
        """File that a command has written, or reads."""
        return self.project.root / "release" / f"{service}.{kind}.json"

    def lock_command(self, service: str) -> tuple[str, ...]:
        """The command that locks a service, without the program's name."""
        (found,) = (step.command for step in self.of(service) if step.command[0] == "altlas")
        return found[1:]


@pytest.fixture(scope="module")
def release(project: Project, registry: LoopbackRegistry) -> Release:
    """The commands as `altlas images pipeline` makes them, to sign with a key pair of this run."""
    for service in RUNTIME_OF:
        (project.root / "source" / service).mkdir(parents=True)
    bases = {runtime: dict.fromkeys(("build", "run"), f"base@{OTHER}") for runtime in RUNTIME_OF.values()}
    source = {"checkout": f"{project.root}/source", "revision": REVISION, "committedAt": COMMITTED_AT, "bases": bases}
    assert registry.run("cosign", "generate-key-pair", "--output-key-prefix", "release").returncode == 0
    build = Build(
        source=SourceBuildSettings.model_validate(source),
        registry=f"{registry.host}/{PREFIX}",
        out=project.root / "release",
        root=ROOT,
        key=registry.scratch / "release.key",
    )
    known = databases(registry.scratch / "databases", trivy=[HARMLESS], grype=[HARMLESS])
    return Release(tuple(steps(build, alpha_settings())), project, registry, known)


def refused(project: Project, before: str, *command: str) -> str:
    """Text of a refusal; the lock is as it was."""
    done = project.altlas(*command)
    assert done.code == 2, done.text
    assert (project.root / LOCK_NAME).read_text(encoding="utf-8") == before
    return done.error
