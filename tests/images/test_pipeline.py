"""The commands that make a release, and what stops them before the first one."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools
from altlas.images.pipeline import BASE_NAMES
from components.stack.image_build import RUNTIME_OF
from components.stack.problems import PLATFORM_KEY
from tests.images.conftest import REVISION, Altlas
from tests.support.documents import ROOT

BASES = {name: f"registry.example.com/{name}@sha256:{number:064x}" for number, name in enumerate(BASE_NAMES)}
MISSING = "[not proven here: cosign is not installed]"
NEEDED = ("docker", "syft", "trivy", "grype", "altlas", "cosign")


@pytest.fixture(scope="module")
def buildx() -> Path:
    """The program behind `docker buildx`."""
    return tools.ensure(["buildx"]).path("buildx")


@pytest.fixture
def command(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A command line that is right, in a checkout with the Dockerfiles, where no program is installed."""
    (checkout / "images").symlink_to(ROOT / "images")
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    for service in RUNTIME_OF:
        (tmp_path / "source" / service).mkdir(parents=True)
    bases = [f"--base={name}={image}" for name, image in BASES.items()]
    options = (f"--source={tmp_path}/source", "--registry=registry.example.com/alt-las", f"--revision={REVISION}")
    return ["images", "pipeline", "beta", *options, "--epoch=1700000000", f"--out={tmp_path}/out", *bases]


def test_the_commands_are_printed_and_say_what_is_missing_here(altlas: Altlas, command: list[str]) -> None:
    """Build and push, then for each service list, scan twice, lock, sign, attest."""
    done = altlas(*command)
    assert done.code == 0, done.error
    lines = done.out.splitlines()
    programs = [line.split()[0] for line in lines if not line.startswith("#")]
    assert programs == ["docker", *("syft", "trivy", "grype", "altlas", "cosign", "cosign") * len(RUNTIME_OF)]
    assert all(
        f"not proven here: {program} is not installed" in comment
        for comment, program in zip(lines[::2], programs, strict=True)
    )
    assert all(REVISION in line for line in lines[3::2])
    assert "--key" not in done.out


def test_a_key_signs_without_the_transparency_log(altlas: Altlas, command: list[str]) -> None:
    """Without one the signature is keyless."""
    lines = [line for line in altlas(*command, "--key=release.key").out.splitlines() if line.startswith("cosign")]
    assert len(lines) == 2 * len(RUNTIME_OF)
    assert all(" --key release.key --tlog-upload=false " in line for line in lines)


def test_what_the_lock_refuses_is_not_signed(altlas: Altlas, command: list[str]) -> None:
    """The thresholds are the lock's, so it comes before the signature."""
    lines = altlas(*command).out.splitlines()
    for service in RUNTIME_OF:
        locked = next(n for n, line in enumerate(lines) if line.startswith(f"altlas images lock {service} "))
        signed = next(n for n, line in enumerate(lines) if line == f"# {service}: sign  {MISSING}")
        assert locked < signed


def test_the_bake_file_tells_each_build_what_the_settings_say(
    altlas: Altlas, command: list[str], tmp_path: Path
) -> None:
    """Ports and health paths are those of the cluster, bases have digests, files bear the commit's time."""
    targets = bake_file_of(altlas, command, tmp_path)[1]["target"]
    assert list(targets) == sorted(RUNTIME_OF)
    runner = targets["runner-service"]["args"]
    assert (runner["PORT"], runner["HEALTH_PATH"], runner["BINARY"]) == ("8080", "/api/v1/health", "runner-service")
    assert (runner["CREATED"], runner["SOURCE_DATE_EPOCH"]) == ("2023-11-14T22:13:20Z", "1700000000")
    assert runner["BUILD_IMAGE"] == BASES["rust-build"]
    assert targets["api-gateway"]["tags"] == [f"registry.example.com/alt-las/api-gateway:{REVISION}"]


def test_a_step_whose_program_is_missing_is_no_success(altlas: Altlas, command: list[str]) -> None:
    """Nothing after it runs."""
    done = altlas(*command, "--run")
    assert done.code == 3
    assert "docker is not installed, so this step (build and push) is not done" in done.error


@pytest.mark.parametrize("failing", NEEDED)
def test_a_step_that_fails_ends_the_release(
    altlas: Altlas, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """With stand-ins for all programs, one of which fails."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in NEEDED:
        file = programs / name
        file.write_text(f"#!/bin/sh\nexit {int(name == failing)}\n", encoding="utf-8")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    done = altlas(*command, "--run")
    assert done.code == 1
    assert f"{failing} " in done.error
    assert "failed, so the release is not made" in done.error


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (f"--base=go-run={BASES['go-run']}", "--base=go-run=golang:1.26", "has no digest, so two builds could differ"),
        (f"--base=go-run={BASES['go-run']}", "--base=other=x", "lacks go-run"),
        (f"--revision={REVISION}", "--revision=main", "is no commit"),
        ("--registry=registry.example.com/alt-las", "--registry=Team Registry", "is not a repository prefix"),
    ],
)
def test_what_would_make_a_build_that_cannot_be_repeated_is_refused(
    altlas: Altlas, command: list[str], tmp_path: Path, *, old: str, new: str, reason: str
) -> None:
    """Before a file is written."""
    done = altlas(*[new if part == old else part for part in command])
    assert (done.code, reason in done.error) == (2, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [".env", ".git"])
def test_a_source_with_secrets_or_history_is_refused(
    altlas: Altlas, command: list[str], tmp_path: Path, name: str
) -> None:
    """The service's folder and the file are named."""
    (tmp_path / "source/archive-service" / name).touch()
    done = altlas(*command)
    assert (done.code, f"archive-service holds {name}" in done.error) == (2, True)
    assert not (tmp_path / "out").exists()


def test_a_dockerfile_that_ends_as_root_is_refused(
    altlas: Altlas, command: list[str], checkout: Path, tmp_path: Path
) -> None:
    """It is named, with the line that is missing."""
    (checkout / "images").unlink()
    shutil.copytree(ROOT / "images", checkout / "images", symlinks=True)
    file = checkout / "images/go.Dockerfile"
    file.write_text(file.read_text(encoding="utf-8").replace("USER 10001:10001", "USER root"), encoding="utf-8")
    done = altlas(*command)
    assert (done.code, "go.Dockerfile ends as root; write `USER 10001:10001`" in done.error) == (2, True)
    assert not (tmp_path / "out").exists()


def test_source_and_bases_may_stand_in_the_stack_file(
    altlas: Altlas, command: list[str], checkout: Path, tmp_path: Path
) -> None:
    """The same builds as from the command line, whose options win."""
    assert altlas(*command).code == 0
    given = (tmp_path / "out/docker-bake.json").read_text(encoding="utf-8")
    file = checkout / "Pulumi.beta.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    bases: dict[str, dict[str, str]] = {}
    for name, image in BASES.items():
        bases.setdefault(name.partition("-")[0], {})[name.partition("-")[2]] = image
    source = {"checkout": f"{tmp_path}/source", "revision": REVISION, "committedAt": 1_700_000_000, "bases": bases}
    document["config"][PLATFORM_KEY]["builds"] = {"fromSource": source}
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    short = ["images", "pipeline", "beta", "--registry=registry.example.com/alt-las", f"--out={tmp_path}/out"]
    assert altlas(*short).code == 0
    assert (tmp_path / "out/docker-bake.json").read_text(encoding="utf-8") == given
    other = "c" * 40
    assert altlas(*short, f"--revision={other}").code == 0
    assert f"api-gateway:{other}" in (tmp_path / "out/docker-bake.json").read_text(encoding="utf-8")


def test_without_any_source_the_ways_to_give_it_are_named(altlas: Altlas, command: list[str]) -> None:
    """Options or stack file."""
    kept = [part for part in command if not part.startswith("--source")]
    done = altlas(*kept)
    assert done.code == 2
    assert "the source's checkout is not usable (Field required); give it with --source" in done.error
    assert "or write it to builds.fromSource in the stack file" in done.error


@pytest.mark.e2e
def test_the_parser_of_docker_buildx_reads_the_bake_file(
    buildx: Path, altlas: Altlas, command: list[str], tmp_path: Path
) -> None:
    """The real one, without a Docker engine; it tells the same build in its own words."""
    file, written = bake_file_of(altlas, command, tmp_path)
    done = baked(buildx, file)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert set(read["group"]["default"]["targets"]) == set(written["group"]["default"]["targets"])
    same = ("context", "contexts", "dockerfile", "args", "tags", "platforms")
    for service in RUNTIME_OF:
        assert {key: read["target"][service][key] for key in same} == {
            key: written["target"][service][key] for key in same
        }
        assert read["target"][service]["output"] == [
            {"oci-mediatypes": "true", "rewrite-timestamp": "true", "type": "registry"}
        ]


@pytest.mark.e2e
def test_the_parser_would_refuse_a_wrong_bake_file(
    buildx: Path, altlas: Altlas, command: list[str], tmp_path: Path
) -> None:
    """The control: one tag where a list belongs."""
    file, document = bake_file_of(altlas, command, tmp_path)
    document["target"]["api-gateway"]["tags"] = "latest"
    file.write_text(json.dumps(document), encoding="utf-8")
    done = baked(buildx, file)
    assert (done.returncode, "list of string required" in done.stderr) == (1, True)


def bake_file_of(altlas: Altlas, command: list[str], folder: Path) -> tuple[Path, dict[str, Any]]:
    """The bake file that the command writes, and what is in it."""
    assert altlas(*command).code == 0
    file = folder / "out/docker-bake.json"
    return file, json.loads(file.read_text(encoding="utf-8"))


def baked(buildx: Path, file: Path) -> subprocess.CompletedProcess[str]:
    """Output of buildx for a bake file, without building."""
    command = [str(buildx), "bake", "--file", str(file), "--print"]
    return subprocess.run(command, env={"HOME": str(file.parent)}, capture_output=True, text=True, check=False)
