"""The Dockerfiles as text: what a linter and our own rules say about them, without building anything."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.stack.image_build import RUNTIME_OF, BuildInputError, check_context, check_dockerfile
from tests.support.documents import ROOT

IMAGES = ROOT / "images"
DOCKERFILES = sorted(IMAGES.glob("*.Dockerfile"))


def lint(file: Path) -> subprocess.CompletedProcess[str]:
    """Ask hadolint about a file."""
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("not proven here: hadolint is made for Linux only")
    command = [program, "--config", str(IMAGES / "hadolint.yaml"), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_there_is_one_dockerfile_for_each_runtime() -> None:
    """Five services share four."""
    assert {file.name.partition(".")[0] for file in DOCKERFILES} == set(RUNTIME_OF.values())


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_hadolint_has_nothing_to_say(file: Path) -> None:
    """Not even a remark on style."""
    done = lint(file)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_say_something(tmp_path: Path) -> None:
    """The control: an image as the project had them."""
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM node:latest\nRUN cd /app && npm install\n", encoding="utf-8")
    done = lint(bad)
    assert done.returncode == 1
    assert "DL3007" in done.stdout


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_every_dockerfile_keeps_the_rules(file: Path) -> None:
    """Bases are asked for, the user is a number, signals reach the process, dependencies come first."""
    check_dockerfile(file)
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert bases[-1] == "${RUN_IMAGE}"
    assert bases[0] == "${BUILD_IMAGE}"
    assert set(bases) <= {"${RUN_IMAGE}", "${BUILD_IMAGE}", "dependencies"}
    # Without a default, so that nobody builds on a base whose digest nobody chose.
    assert lines[:2] == ["ARG BUILD_IMAGE", "ARG RUN_IMAGE"]
    last = lines[lines.index("FROM ${RUN_IMAGE}") :]
    assert not [line for line in last if line.startswith("RUN ")]
    assert [line.split()[0] for line in last[-4:]] == ["USER", "HEALTHCHECK", "ENTRYPOINT", "CMD"]
    assert all(line.partition(" ")[2].startswith("[") for line in last[-2:])
    copies = [line for line in lines if line.startswith("COPY ") and "--from" not in line]
    assert copies[0].split()[1] in ("go.mod", "Cargo.toml", "package.json", "requirements.txt")
    assert copies[-1].split()[1] == "."


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_dependencies_are_not_installed_again_for_each_commit(file: Path) -> None:
    """A builder rebuilds a layer where an argument above it has changed, and the time of the commit always has."""
    lines = file.read_text(encoding="utf-8").splitlines()
    before = lines[: next(number for number, line in enumerate(lines) if line.startswith("COPY . "))]
    installed = max(number for number, line in enumerate(before) if line.startswith("RUN "))
    given = {line.removeprefix("ARG ").partition("=")[0] for line in before[:installed] if line.startswith("ARG ")}
    assert given <= {"BUILD_IMAGE", "RUN_IMAGE", "RUNTIME_VERSION", "PACKAGE", "BINARY"}


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_the_version_of_the_runtime_is_looked_at_first(file: Path) -> None:
    """The first thing that a build runs compares the base with the settings."""
    lines = file.read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("RUN "))
    second = next(number for number in range(first + 1, len(lines)) if not lines[number].startswith(" "))
    said = f"but builds.runtimes.{file.name.partition('.')[0]} is ${{RUNTIME_VERSION}}"
    assert said in "".join(lines[first:second])


@pytest.mark.parametrize("runtime", sorted(set(RUNTIME_OF.values())))
def test_every_build_ignores_secrets_and_history(runtime: str) -> None:
    """One list for all, under the name that BuildKit looks for."""
    link = IMAGES / f"{runtime}.Dockerfile.dockerignore"
    assert link.resolve() == IMAGES / ".dockerignore"
    assert {"**/.env", "**/.env.*", "**/.git"} <= set(link.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FROM a\n", "ends as root"),
        ("FROM a\nUSER root\n", "ends as root"),
        ("FROM a\nUSER 0:0\n", "ends as root"),
        ("FROM a\nUSER 10001\nUSER root\n", "ends as root"),
        ("FROM a\nUSER 10001\nFROM b\n", "ends as root"),
        ("FROM a\nUSER appuser\n", "a cluster cannot tell whether a name is root"),
    ],
)
def test_a_dockerfile_that_ends_as_root_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    """The last user of the last stage counts."""
    file = tmp_path / "Dockerfile"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BuildInputError, match=reason):
        check_dockerfile(file)


@pytest.mark.parametrize("name", [".env", ".env.production", ".git", "deep/below/.env"])
def test_a_build_context_with_secrets_or_history_is_refused(tmp_path: Path, name: str) -> None:
    """The refusal names the finding."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(BuildInputError, match=f"holds {name}, which must never"):
        check_context(tmp_path)


def test_a_clean_build_context_passes(tmp_path: Path) -> None:
    """An example of a .env holds no secret."""
    for name in (".env.example", ".dockerignore", "main.go", ".github"):
        (tmp_path / name).touch()
    check_context(tmp_path)


def test_a_build_context_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """An empty image would be the result."""
    with pytest.raises(BuildInputError, match="is not a folder"):
        check_context(tmp_path / "missing")
