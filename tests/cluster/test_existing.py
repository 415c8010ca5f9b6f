"""A cluster that is not run by this project is looked at by kubectl, and by nothing else."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster.errors import ClusterError
from cluster.existing import ExistingCluster
from cluster.ports import LOOPBACK, choose_free_port
from tests.support.http_server import QuietHandler, http_server


class _Refusing(QuietHandler):
    def do_GET(self) -> None:
        """Refuse, as an API server refuses an unknown user."""
        self.send_response(401)
        self.end_headers()


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server that answers every request."""
    with http_server(_Refusing) as port:
        yield port


@pytest.fixture(scope="module")
def kubectl() -> Path:
    """The pinned program."""
    return Path(importlib.import_module("tools").ensure(("kubectl",)).path("kubectl"))


def _kubeconfig(path: Path, **cluster: str) -> Path:
    content = {
        "clusters": [{"name": "other", "cluster": cluster}],
        "users": [{"name": "me", "user": {"token": "unknown"}}],
        "contexts": [{"name": "other", "context": {"cluster": "other", "user": "me"}}],
        "current-context": "other",
    }
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.sim
def test_an_existing_cluster_that_answers_is_up_even_if_it_refuses(tmp_path: Path, port: int, kubectl: Path) -> None:
    """The user's rights show later; that there is a cluster is all that is asked here."""
    kubeconfig = _kubeconfig(tmp_path / "config", server=f"http://{LOOPBACK}:{port}")
    cluster = ExistingCluster(kubeconfig, kubectl, pytest.fail)
    assert cluster.up() == kubeconfig
    assert cluster.status().ready


@pytest.mark.sim
def test_an_existing_cluster_behind_a_proxy_is_up(tmp_path: Path, port: int, kubectl: Path) -> None:
    """Private clusters are reached by the proxy that their kubeconfig names."""
    cluster = {"server": "http://cluster.invalid", "proxy-url": f"http://{LOOPBACK}:{port}"}
    assert ExistingCluster(_kubeconfig(tmp_path / "config", **cluster), kubectl, pytest.fail).status().ready


@pytest.mark.sim
def test_an_existing_cluster_that_does_not_answer_is_a_clear_error(tmp_path: Path, kubectl: Path) -> None:
    """The message names server and file."""
    server = f"https://{LOOPBACK}:{choose_free_port(())}"
    cluster = ExistingCluster(_kubeconfig(tmp_path / "config", server=server), kubectl, pytest.fail)
    with pytest.raises(ClusterError, match=rf"{server} of .*config does not answer.*Check that"):
        cluster.up()
    assert not cluster.status().ready


@pytest.mark.sim
@pytest.mark.parametrize("content", ["", "a: b", "[", "current-context: gone\ncontexts: []\nclusters: []"])
def test_a_damaged_kubeconfig_is_a_clear_error(tmp_path: Path, content: str, kubectl: Path) -> None:
    """No traceback, and no other cluster is asked instead."""
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(ClusterError, match=r"(?s)cannot be used.*current context"):
        ExistingCluster(path, kubectl, pytest.fail).up()


def test_an_existing_cluster_is_never_stopped_or_deleted(tmp_path: Path) -> None:
    """It is not ours."""
    reports: list[str] = []
    cluster = ExistingCluster(tmp_path / "config", tmp_path / "kubectl", reports.append)
    cluster.down()
    cluster.delete()
    assert [report.split(":")[0] for report in reports] == ["There is nothing to stop", "There is nothing to delete"]
