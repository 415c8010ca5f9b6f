"""Preparation of a k3d cluster for a stack: images onto its nodes, its addresses into the stack file.

Not proven here: k3d and Docker. Their commands are recorded; the cluster answers as for `altlas preflight`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools
from altlas.images.local import LocalBuild
from altlas.session.engine import Engine
from altlas.session.session import open_cluster
from altlas.session.workspace import Workspace
from altlas.update.local_cluster import bring_images, with_addresses
from altlas.update.preflight import optional_addons
from cluster.k3d import K3dCluster
from cluster.target import K3D, Target
from components.stack.loading import parse_platform
from components.stack.problems import PLATFORM_KEY
from tests.altlas.conftest import Altlas
from tests.support.documents import ROOT, alpha_settings, platform_of, stack_text
from tests.support.recorded_cluster import Recorded, endpoint_slice, sound
from tools.manifest import Manifest

BUILDS = (
    LocalBuild(reference="registry.invalid/a:1", origin="a STAND-IN", command=("docker", "build", "a")),
    LocalBuild(reference="registry.invalid/b:1", origin="a STAND-IN", command=("docker", "build", "b")),
)


class WritingEngine(Engine):
    """Changes the configuration in a stack file as `pulumi config` does."""

    commands: list[tuple[str, ...]]

    def capture(self, *arguments: str, text: str | None = None) -> str:  # noqa: ARG002  # as in the class
        """Set or remove a value of the list of addresses."""
        self.commands.append(arguments)
        file = self.root / "Pulumi.alpha.yaml"
        document: dict[str, Any] = yaml.safe_load(file.read_text())
        egress = document["config"][PLATFORM_KEY].setdefault("egress", {})
        if arguments[1] == "rm":
            egress.pop("apiServerAddresses", None)
        else:
            egress.setdefault("apiServerAddresses", []).append(arguments[-1])
        file.write_text(yaml.safe_dump(document))
        return ""


def cluster_with(*addresses: str) -> Recorded:
    """A cluster whose API server has these endpoints."""
    answers = sound() | {"endpointslices.discovery.k8s.io default kubernetes": [endpoint_slice(6443, *addresses)]}
    found: Recorded = type("Cluster", (Recorded,), {"answers": answers})(Path("kubectl"), Path("kubeconfig"))
    return found


def test_images_are_built_and_imported_in_one_go_and_only_when_they_are_new(tmp_path: Path) -> None:
    """The second run asks Docker, which knows them, and leaves the cluster alone."""
    commands: list[tuple[str, ...]] = []
    said: list[str] = []

    def run(command: Sequence[str]) -> str:
        commands.append(tuple(command))
        return json.dumps([{"name": "alt-las"}]) if "list" in command else f"sha256:{command[-1]}\n"

    cluster = K3dCluster(tmp_path, Path("k3d"), Path("kubectl"), said.append, run)
    cluster.up()
    commands.clear()
    bring_images(cluster, BUILDS, run, said.append)
    imported = ("k3d", "image", "import", "--cluster", "alt-las", "registry.invalid/a:1", "registry.invalid/b:1")
    assert commands == [("docker", "build", "a"), ("docker", "build", "b"), imported]
    assert said[-1].startswith("Put onto the nodes of the k3d cluster: registry.invalid/a:1, registry.invalid/b:1.")
    commands.clear()
    bring_images(cluster, BUILDS, run, said.append)
    assert commands == [each.command for each in BUILDS]


def test_the_addresses_of_the_api_server_are_written_and_read_again_after_a_restart(tmp_path: Path) -> None:
    """Docker gives the nodes other addresses; nothing is written while they are the same."""
    file = tmp_path / "Pulumi.alpha.yaml"
    file.write_text(stack_text("alpha"))
    engine, said = WritingEngine(tmp_path, {}), list[str]()
    engine.commands = []
    for address, addresses in (
        ("172.18.0.3", ("10.43.0.1", "172.18.0.3")),
        ("172.18.0.5", ("10.43.0.1", "172.18.0.5")),
    ):
        platform = with_addresses(cluster_with(address), engine, "alpha", file, said.append)
        assert platform.egress.api_server_addresses == addresses
        written = f"[{', '.join(addresses)}] into Pulumi.alpha.yaml"
        assert said[-1] == f"Wrote egress.apiServerAddresses {written}: this cluster's API server."
        asked = len(engine.commands)
        assert with_addresses(cluster_with(address), engine, "alpha", file, said.append) == platform
        assert len(engine.commands) == asked == 3 * len(said)


def test_a_cluster_that_does_not_tell_changes_nothing(tmp_path: Path) -> None:
    """An empty list would let pods reach everybody."""
    file = tmp_path / "Pulumi.alpha.yaml"
    file.write_text(stack_text("alpha"))
    kubectl = type("Cluster", (Recorded,), {"answers": {}})(Path("kubectl"), Path("kubeconfig"))
    engine = WritingEngine(tmp_path, {})
    engine.commands = []
    assert with_addresses(kubectl, engine, "alpha", file, lambda _: None) == alpha_settings()
    assert engine.commands == []


def test_k3d_is_taken_from_the_path_and_everything_else_is_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project neither downloads nor builds k3d, so nothing asks for it there."""
    program = tmp_path / "k3d"
    program.write_text("#!/bin/sh\necho '[]'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    asked: list[str] = []

    class Toolbox:
        def path(self, name: str) -> Path:
            return Path("/pinned") / name

    def ensure(names: Sequence[str]) -> Toolbox:
        asked.extend(names)
        return Toolbox()

    monkeypatch.setattr(tools, "ensure", ensure)
    opened, _ = open_cluster(Workspace(tmp_path), Target(K3D, "the test names it"), lambda _: None)
    assert isinstance(opened, K3dCluster)
    assert opened.status().summary == "There is no k3d cluster alt-las."
    assert "kubectl" in asked
    assert "k3d" not in asked
    assert set(asked) <= set(Manifest.load().programs())


@pytest.mark.parametrize("command", [("up", "alpha"), ("preflight", "alpha"), ("status", "alpha")])
def test_without_k3d_the_cure_is_named_before_anything_is_started(
    altlas: Altlas, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """Exit code 3, as for every program that is missing; the stack file stays as it is."""
    (checkout / "images").symlink_to(ROOT / "images")
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    monkeypatch.setenv("TARGET", "k3d")
    before = (checkout / "Pulumi.alpha.yaml").read_bytes()
    done = altlas(*command)
    assert done.code == 3, done.error
    assert "k3d is not installed, and this project does not bring it; install 5.8 or newer" in done.error
    assert (checkout / "Pulumi.alpha.yaml").read_bytes() == before


def test_addons_that_only_some_stacks_need_are_installed_for_those() -> None:
    """CRDs of a mesh or of the Gateway API that nobody uses keep their owner from installing them."""
    assert optional_addons(alpha_settings()) == set()
    assert optional_addons(parse_platform(platform_of("beta"))) == {"gateway-api"}
    assert optional_addons(alpha_settings({"mesh": {"mode": "ambient"}})) == {"istio"}
