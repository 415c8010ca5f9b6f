"""Images that no registry has, built for a cluster on this machine: which, of what, and by which commands.

Not proven here: a Docker engine and the published bases. The commands are recorded.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from altlas.images.local import STAND_INS, build_images, local_builds
from components.stack.image_build import RUNTIME_OF
from components.stack.loading import parse_platform
from rendering.errors import CommandError, ExitCode
from tests.support.documents import ROOT, alpha_settings, platform_of

PREFIX = "registry.invalid/alt-las/"


def value(command: Sequence[str], option: str) -> str:
    """Value of an option of a command."""
    return command[command.index(option) + 1]


def arguments(command: Sequence[str]) -> dict[str, str]:
    """Arguments of the Dockerfile."""
    given = [command[index + 1] for index, part in enumerate(command) if part == "--build-arg"]
    return dict(text.split("=", 1) for text in given)


def test_every_image_of_alpha_that_no_registry_has_is_built() -> None:
    """Five services and the backup image; what has a registry is left to it."""
    builds = local_builds(alpha_settings(), ROOT)
    names = {*(f"{PREFIX}{service}:1.0.0-alpha" for service in RUNTIME_OF), f"{PREFIX}backup:18.6-1"}
    assert {each.reference for each in builds} == names
    for each in builds:
        assert each.command[:3] == ("docker", "build", "--quiet")
        assert value(each.command, "--tag") == each.reference
        assert Path(value(each.command, "--file")).is_file()
        assert Path(each.command[-1]).is_dir()


def test_beta_s_services_are_published_so_its_backup_image_alone_is_built() -> None:
    """A published image is never replaced by one that is built here."""
    (build,) = local_builds(parse_platform(platform_of("beta")), ROOT)
    assert build.reference == f"{PREFIX}backup:18.6-1"
    given = arguments(build.command)
    assert given["POSTGRES_MAJOR"] == "18"
    assert given["POSTGRES_IMAGE"].startswith("ghcr.io/cloudnative-pg/postgresql:18.")
    assert given.keys() >= {"BUILD_IMAGE", "RUN_IMAGE", "REDIS_IMAGE", "NATS_IMAGE", "NATS_TOOLS_IMAGE"}


def test_every_argument_of_a_dockerfile_is_given() -> None:
    """One that is missing would end the build, or leave a label empty."""
    for each in local_builds(alpha_settings(), ROOT):
        text = Path(value(each.command, "--file")).read_text(encoding="utf-8")
        lines = [line.split()[1:] for line in text.splitlines() if line.startswith("ARG ")]
        asked = {word for line in lines for word in line if "=" not in word}
        assert asked - arguments(each.command).keys() == set()


def test_without_source_stand_ins_are_built_and_said_so(tmp_path: Path) -> None:
    """With a checkout, the services that it has; the others stay stand-ins."""
    (tmp_path / "runner-service").mkdir()
    settings = alpha_settings({"builds": {"localCheckout": str(tmp_path)}})
    builds = {each.reference: each for each in local_builds(settings, ROOT)}
    runner, gateway = (builds[f"{PREFIX}{name}:1.0.0-alpha"] for name in ("runner-service", "api-gateway"))
    assert runner.command[-1] == str(tmp_path / "runner-service")
    assert runner.origin == f"the source in {tmp_path}/runner-service"
    assert gateway.command[-1] == str(ROOT / STAND_INS / "node")
    assert gateway.origin.startswith("a STAND-IN")


def test_a_source_with_secrets_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    """The setting, the service and the file."""
    (tmp_path / "runner-service").mkdir()
    (tmp_path / "runner-service" / ".env").touch()
    with pytest.raises(CommandError, match=r"builds\.localCheckout: runner-service: .* holds \.env") as caught:
        local_builds(alpha_settings({"builds": {"localCheckout": str(tmp_path)}}), ROOT)
    assert caught.value.code == ExitCode.BAD_INPUT


def test_an_image_that_nobody_can_build_is_refused_by_its_key() -> None:
    """There is a Dockerfile for services and for backups, not for servers."""
    with pytest.raises(CommandError, match=r"^redis\.image is registry\.invalid/redis:8"):
        local_builds(alpha_settings({"redis.image": {"repository": "registry.invalid/redis", "tag": "8"}}), ROOT)


def test_builds_are_announced_loudly_and_told_by_their_ids() -> None:
    """Nobody takes a stand-in for a release; a stack that needs none hears nothing."""
    said: list[str] = []
    builds = local_builds(alpha_settings(), ROOT)
    built = build_images(builds, lambda command: f"sha256:{len(command)}\n", said.append)
    assert built.keys() == {each.reference for each in builds}
    assert set(map(type, built.values())) == {str}
    assert not any(number.endswith("\n") for number in built.values())
    assert said[0].startswith("WARNING: no registry has these images")
    assert len([line for line in said if "STAND-IN" in line]) == len(RUNTIME_OF)
    said.clear()
    assert build_images((), str, said.append) == {}
    assert said == []
