"""A stack that requires digests takes those of its services from the lock, in every command and in the program."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.stack.image_build import RUNTIME_OF
from components.stack.image_lock import LOCK_NAME
from components.stack.loading import read_platform
from components.stack.problems import PLATFORM_KEY, SettingsError
from rendering.recorder import record
from tests.images.test_pin import lock_of_all
from tests.support.documents import BESIDE_SERVICES, platform_of

DIGEST = "sha256:" + "0" * 64


def locked_stack(checkout: Path, *, requires: bool = True, **changes: dict[str, Any]) -> Path:
    """Beta without stores of its own, with the images that are locked, by tag; `changes` are of single images."""
    lock = lock_of_all(checkout)
    platform = platform_of("beta")
    for block in BESIDE_SERVICES:
        platform.pop(block, None)
    platform["admission"] = {"requireDigests": requires}
    for name, service in platform["services"].items():
        image = lock.images[name]
        service["image"] = {"repository": image.repository, "tag": image.tag} | changes.get(name.replace("-", "_"), {})
    file = checkout / "Pulumi.beta.yaml"
    file.write_text(yaml.safe_dump({"config": {PLATFORM_KEY: platform}}), encoding="utf-8")
    return file


def test_the_program_deploys_the_digests_of_the_lock(checkout: Path) -> None:
    """The stack file names tags only; the pods are held to what is locked."""
    platform = read_platform(locked_stack(checkout))
    objects = record("beta", platform).objects
    deployed = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0]["image"]
        for each in objects
        if each["kind"] == "Deployment"
    }
    assert deployed == {
        service: f"registry.example.com/{service}:2.0.0@sha256:{number:064x}"
        for number, service in enumerate(RUNTIME_OF)
    }


def test_a_stack_that_requires_none_deploys_what_its_file_says(checkout: Path) -> None:
    """The lock is nobody's business then."""
    services = read_platform(locked_stack(checkout, requires=False)).services.by_name()
    assert {service.image.digest for service in services.values()} == {None}


@pytest.mark.parametrize(
    "change", [{"tag": "1.0.0"}, {"repository": "registry.example.com/other"}, {"digest": "sha256:" + "f" * 64}]
)
def test_an_image_that_is_not_the_locked_one_is_refused_by_name(checkout: Path, change: dict[str, str]) -> None:
    """Both are named, and the ways out."""
    with pytest.raises(SettingsError) as caught:
        read_platform(locked_stack(checkout, archive_service=change))
    (problem,) = caught.value.problems
    assert problem.message.startswith("services.archive-service.image is registry.example.com/")
    locked = f"registry.example.com/archive-service:2.0.0@sha256:{4:064x}"
    assert f"but {LOCK_NAME} has {locked}; lock what is to be deployed" in problem.message


def test_without_a_lock_every_service_is_named(checkout: Path) -> None:
    """A stack that requires digests never falls back to tags."""
    file = locked_stack(checkout)
    (checkout / LOCK_NAME).unlink()
    with pytest.raises(
        SettingsError, match=r"these images have no digest: services\.api-gateway\.image, .*altlas images"
    ):
        read_platform(file)


def test_a_lock_edited_by_hand_stops_every_command(checkout: Path) -> None:
    """Also those that only read the stack's settings."""
    file = locked_stack(checkout)
    lock = checkout / LOCK_NAME
    lock.write_text(lock.read_text(encoding="utf-8").replace("tag: 2.0.0", "tag: 2.0.1", 1), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"images\.lock\.yaml was changed by hand"):
        read_platform(file)
