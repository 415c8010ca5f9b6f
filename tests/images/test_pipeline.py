"""The commands that make a release, and what stops them before the first one."""

import json
from pathlib import Path

import pytest

from components.settings.image_build import RUNTIME_OF
from release.images.pipeline import BASE_NAMES
from tests.images.conftest import REVISION, Altlas
from tests.stacks.documents import ROOT

BASES = {name: f"registry.example.com/{name}@sha256:{number:064x}" for number, name in enumerate(BASE_NAMES)}
NEEDED = ("docker", "syft", "trivy", "grype", "cosign")


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
    """Build and push, then for each service list, scan twice, sign, attest."""
    done = altlas(*command)
    assert done.code == 0, done.error
    lines = done.out.splitlines()
    programs = [line.split()[0] for line in lines if not line.startswith("#")]
    assert programs == ["docker", *("syft", "trivy", "grype", "cosign", "cosign") * len(RUNTIME_OF)]
    assert all(
        f"not proven here: {program} is not installed" in comment
        for comment, program in zip(lines[::2], programs, strict=True)
    )
    assert all(f":{REVISION}" in line for line in lines[3::2])


def test_the_bake_file_tells_each_build_what_the_settings_say(
    altlas: Altlas, command: list[str], tmp_path: Path
) -> None:
    """Ports and health paths are those of the cluster, bases have digests, files bear the commit's time."""
    assert altlas(*command).code == 0
    targets = json.loads((tmp_path / "out/docker-bake.json").read_text(encoding="utf-8"))["target"]
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
    ],
)
def test_what_would_make_a_build_that_cannot_be_repeated_is_refused(
    altlas: Altlas, command: list[str], tmp_path: Path, *, old: str, new: str, reason: str
) -> None:
    """Before a file is written."""
    done = altlas(*[new if part == old else part for part in command])
    assert (done.code, reason in done.error) == (2, True)
    assert not (tmp_path / "out").exists()


def test_a_source_with_secrets_is_refused(altlas: Altlas, command: list[str], tmp_path: Path) -> None:
    """The service's folder and the file are named."""
    (tmp_path / "source/archive-service/.env").touch()
    done = altlas(*command)
    assert (done.code, "archive-service holds .env" in done.error) == (2, True)
    assert not (tmp_path / "out").exists()
