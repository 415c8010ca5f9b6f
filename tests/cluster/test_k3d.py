"""The target k3d: its commands and its configuration, with no k3d at hand."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from cluster.errors import ClusterError
from cluster.k3d import K3dCluster, configuration, run_command

LIST = ("k3d", "cluster", "list", "--output", "json")
CREATED = {"name": "alt-las", "serversRunning": 1, "agentsRunning": 2}


class FakeRunner:
    """Answers commands without running them; owns the list of what was asked."""

    def __init__(self, *clusters: dict[str, object]) -> None:
        """Remember which clusters there are."""
        self.clusters = clusters
        self.commands: list[tuple[str, ...]] = []

    def __call__(self, command: Sequence[str]) -> str:
        """Answer one command."""
        self.commands.append(tuple(command))
        return json.dumps(self.clusters) if tuple(command) == LIST else "kind: Config\n"


def own_jobs(directory: Path) -> list[tuple[str, ...]]:
    """Wait for the Jobs of k3s: until they are there, which `kubectl wait` would otherwise call an error, and done."""
    place = ("--kubeconfig", str(directory / "kubeconfig"), "--namespace", "kube-system", "--timeout=300s")
    jobs = ("job/helm-install-traefik-crd", "job/helm-install-traefik")
    return [("kubectl", "wait", *place, f"--for={state}", *jobs) for state in ("create", "condition=complete")]


def _cluster(directory: Path, runner: FakeRunner) -> K3dCluster:
    return K3dCluster(directory, Path("k3d"), Path("kubectl"), lambda _: None, runner)


def test_up_creates_the_cluster_from_a_file_and_writes_a_private_kubeconfig(tmp_path: Path) -> None:
    """The first time."""
    runner = FakeRunner({"name": "other"})
    kubeconfig = _cluster(tmp_path, runner).up()
    create = ("k3d", "cluster", "create", "--config", str(tmp_path / "k3d.yaml"))
    assert runner.commands == [LIST, create, ("k3d", "kubeconfig", "get", "alt-las"), *own_jobs(tmp_path)]
    assert yaml.safe_load((tmp_path / "k3d.yaml").read_text()) == configuration(tmp_path / "traefik.yaml")
    assert kubeconfig.read_text() == "kind: Config\n"
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600


def test_up_starts_a_cluster_that_is_there(tmp_path: Path) -> None:
    """Every later time."""
    runner = FakeRunner(CREATED)
    _cluster(tmp_path, runner).up()
    assert runner.commands[1] == ("k3d", "cluster", "start", "alt-las", "--wait", "--timeout", "300s")
    assert runner.commands[-2:] == own_jobs(tmp_path)


def test_traefik_serves_gateways_and_the_server_applies_that_at_its_start(tmp_path: Path) -> None:
    """k3s leaves the provider off, and beta's routes would lead nowhere."""
    _cluster(tmp_path, FakeRunner()).up()
    written = yaml.safe_load((tmp_path / "traefik.yaml").read_text())
    assert (written["kind"], written["metadata"]) == (
        "HelmChartConfig",
        {"name": "traefik", "namespace": "kube-system"},
    )
    values = yaml.safe_load(written["spec"]["valuesContent"])
    assert values == {"providers": {"kubernetesGateway": {"enabled": True}}}
    (volume,) = configuration(tmp_path / "traefik.yaml")["volumes"]
    place = f"{tmp_path}/traefik.yaml:/var/lib/rancher/k3s/server/manifests/alt-las-traefik.yaml"
    assert volume == {"volume": place, "nodeFilters": ["server:*"]}


def test_images_are_imported_once_and_again_when_they_have_changed(tmp_path: Path) -> None:
    """An import takes seconds to minutes; a new cluster has none of them."""
    runner = FakeRunner(CREATED)
    cluster = _cluster(tmp_path, runner)
    cluster.up()
    assert cluster.import_images({"a:1": "sha256:1", "b:1": "sha256:2"}) == ("a:1", "b:1")
    assert runner.commands[-1] == ("k3d", "image", "import", "--cluster", "alt-las", "a:1", "b:1")
    asked = len(runner.commands)
    assert cluster.import_images({"a:1": "sha256:1", "b:1": "sha256:2"}) == ()
    assert len(runner.commands) == asked
    assert cluster.import_images({"a:1": "sha256:1", "b:1": "sha256:3"}) == ("b:1",)
    for content in (b"", b"[1]", b"\xff"):
        (tmp_path / "images.json").write_bytes(content)
        assert cluster.import_images({"b:1": "sha256:3"}) == ("b:1",), "the list is damaged"
    runner.clusters = ()
    cluster.up()
    assert cluster.import_images({"b:1": "sha256:3"}) == ("b:1",)


def test_down_stops_and_delete_deletes(tmp_path: Path) -> None:
    """Data is kept by the one and removed by the other."""
    runner = FakeRunner(CREATED)
    cluster = _cluster(tmp_path, runner)
    cluster.up()
    cluster.down()
    assert runner.commands[-1] == ("k3d", "cluster", "stop", "alt-las")
    cluster.delete()
    assert runner.commands[-1] == ("k3d", "cluster", "delete", "alt-las")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_stopped_or_deleted_that_is_not_there(tmp_path: Path) -> None:
    """Other clusters are left alone."""
    runner = FakeRunner({"name": "other"})
    cluster = _cluster(tmp_path, runner)
    cluster.down()
    cluster.delete()
    assert runner.commands == [LIST, LIST]


@pytest.mark.parametrize(
    ("clusters", "ready"),
    [((), False), ((CREATED,), True), (({**CREATED, "agentsRunning": 1},), False)],
)
def test_the_status_counts_servers_and_agents(
    tmp_path: Path, clusters: tuple[dict[str, object], ...], ready: bool
) -> None:
    """Ready means all of them."""
    assert _cluster(tmp_path, FakeRunner(*clusters)).status().ready is ready


def test_the_configuration_is_pinned_and_leaves_the_users_kubeconfig_alone() -> None:
    """One server, two agents, ports 80 and 443, an exact image."""
    content = configuration(Path("/cluster/traefik.yaml"))
    assert (content["servers"], content["agents"]) == (1, 2)
    assert content["image"] == "rancher/k3s:v1.35.5-k3s1"
    assert [entry["port"] for entry in content["ports"]] == ["80:80", "443:443"]
    assert not any(content["options"]["kubeconfig"].values())


def test_a_failing_command_is_an_error_with_its_own_words() -> None:
    """No traceback."""
    with pytest.raises(ClusterError, match=r"(?s)no such thing.*docker info"):
        run_command(("sh", "-c", "echo no such thing >&2; exit 1"))
    with pytest.raises(ClusterError, match="cannot be run"):
        run_command(("/nowhere/k3d",))
