"""`altlas up` of a stack that builds its images, on a machine where it cannot: refused before anything is started."""

from pathlib import Path

import pytest
import yaml

from components.stack.image_build import RUNTIME_OF
from components.stack.problems import PLATFORM_KEY
from tests.images.conftest import Altlas
from tests.support.documents import ROOT

BASE = "base@sha256:" + "0" * 64


def test_without_an_engine_no_cluster_is_started(
    checkout: Path, altlas: Altlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One error with the key, and every source that is missing; not even an addon is written before it."""
    (checkout / "images").symlink_to(ROOT / "images")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine")
    monkeypatch.setenv("TARGET", "sim")
    bases = {runtime: {"build": BASE, "run": BASE} for runtime in RUNTIME_OF.values()}
    source = {"checkout": "../source", "revision": "a" * 40, "committedAt": 0, "bases": bases}
    for service in list(RUNTIME_OF)[1:]:
        (tmp_path / "source" / service).mkdir(parents=True)
    file = checkout / "Pulumi.alpha.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document["config"][PLATFORM_KEY]["builds"] = {"fromSource": source}
    for service, settings in document["config"][PLATFORM_KEY]["services"].items():
        settings["image"]["repository"] = f"team/{service}"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    done = altlas("up", "--stack", "alpha")
    assert done.code == 2
    assert done.error.startswith("error: 2 problems in the stack configuration, nothing was changed:")
    assert "builds.fromSource.checkout: api-gateway: the build context" in done.error
    assert "builds.fromSource: has images built, but no Docker engine answers" in done.error
    assert not (checkout / ".altlas/sim").exists()
    assert not (checkout / ".altlas/state/.pulumi").exists()
