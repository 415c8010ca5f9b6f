"""Digests of the lock in a stack file."""

from pathlib import Path

import pytest
import yaml

from altlas.images.errors import ImageRefusedError
from altlas.images.lock import write_lock
from altlas.images.locking import check_stack
from components.stack.image_build import RUNTIME_OF
from components.stack.image_lock import ImageLock, parse_lock
from components.stack.loading import read_platform
from rendering.recorder import record
from tests.images.conftest import REVISION, Altlas

SCAN = {"report": "sha256:" + "d" * 64, "findings": {}}


def lock_of_all(checkout: Path) -> ImageLock:
    """A lock with all services, written into the checkout."""
    images = {
        service: {
            "repository": f"registry.example.com/{service}",
            "tag": "2.0.0",
            "digest": f"sha256:{number:064x}",
            "revision": REVISION,
            "builtAt": "2026-01-31T12:00:00Z",
            "sbom": {"file": "sbom.json", "format": "spdx", "digest": "sha256:" + "e" * 64},
            "scans": [{"scanner": "trivy", **SCAN}, {"scanner": "grype", **SCAN}],
        }
        for number, service in enumerate(RUNTIME_OF)
    }
    lock = parse_lock({"images": images})
    write_lock(checkout / "images.lock.yaml", lock)
    return lock


def test_pin_makes_a_stack_deploy_every_service_by_digest(checkout: Path, altlas: Altlas) -> None:
    """In the objects that the program registers, not only in the file."""
    lock = lock_of_all(checkout)
    file = checkout / "Pulumi.beta.yaml"
    assert altlas("images", "pin", "beta").code == 0
    platform = read_platform(file)
    objects = record("beta", platform).objects
    deployed = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0]["image"]
        for each in objects
        if each["kind"] == "Deployment" and each["metadata"]["name"] in RUNTIME_OF
    }
    assert deployed == {service: image.image.reference for service, image in lock.images.items()}
    assert all("@sha256:" in image for image in deployed.values())


def test_pin_changes_the_lines_of_the_images_only(checkout: Path, altlas: Altlas) -> None:
    """Comments and everything else stay."""
    lock_of_all(checkout)
    file = checkout / "Pulumi.alpha.yaml"
    before = file.read_text(encoding="utf-8").splitlines()
    assert altlas("images", "pin", "alpha").code == 0
    after = file.read_text(encoding="utf-8").splitlines()
    differing = [new.strip() for old, new in zip(before, after, strict=True) if old != new]
    assert len(differing) == len(RUNTIME_OF)
    assert all(line.startswith("image: {repository: registry.example.com/") for line in differing)


def test_an_image_in_another_form_is_refused_and_the_file_stays(checkout: Path, altlas: Altlas) -> None:
    """Better no change than half a change."""
    lock_of_all(checkout)
    file = checkout / "Pulumi.beta.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    before = file.read_text(encoding="utf-8")
    done = altlas("images", "pin", "beta")
    assert done.code == 2
    assert "is not written as `image: {repository: ..., tag: ...}`" in done.error
    assert file.read_text(encoding="utf-8") == before


def test_a_stack_that_deploys_something_else_than_the_lock_is_refused(checkout: Path, altlas: Altlas) -> None:
    """Before the pin it does, after it not."""
    lock, file = lock_of_all(checkout), checkout / "Pulumi.beta.yaml"
    with pytest.raises(ImageRefusedError, match=r"beta deploys frozen68/api-gateway:beta\.v9 for api-gateway"):
        check_stack(lock, read_platform(file), "beta")
    assert altlas("images", "pin", "beta").code == 0
    check_stack(lock, read_platform(file), "beta")


def test_a_stack_with_a_service_that_is_not_locked_is_refused(checkout: Path) -> None:
    """It would be deployed by a tag that can move."""
    with pytest.raises(ImageRefusedError, match="api-gateway is not locked, so beta deploys it by its tag"):
        check_stack(ImageLock(), read_platform(checkout / "Pulumi.beta.yaml"), "beta")
