"""From a target to a cluster; clusters of others; the Docker engine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from cluster import open_target, required_programs
from cluster.control_plane import PROGRAMS
from cluster.errors import ClusterError
from cluster.existing import ExistingCluster
from cluster.k3d import K3dCluster
from cluster.opening import SimulatedCluster
from cluster.ports import LOOPBACK, choose_free_port
from cluster.target import Target
from components.docker_engine import docker_answers


class _Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer like an API server to somebody unknown, and like a Docker engine to a ping."""
        self.send_response(200 if self.path == "/_ping" else 401)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it so
        """Print nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server that answers every request."""
    with HTTPServer((LOOPBACK, 0), _Refusing) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_port
        server.shutdown()


def _kubeconfig(path: Path, server: str) -> Path:
    content = {
        "clusters": [{"name": "other", "cluster": {"server": server}}],
        "contexts": [{"name": "other", "context": {"cluster": "other", "user": "me"}}],
        "current-context": "other",
    }
    path.write_text(yaml.safe_dump(content))
    return path


def test_each_target_opens_its_own_kind_of_cluster(tmp_path: Path) -> None:
    """Commands need not know which."""
    programs = {name: Path("/programs") / name for name in (*PROGRAMS, "k3d")}
    targets = [Target("sim", ""), Target("k3d", ""), Target("kubeconfig", "", tmp_path / "config")]
    opened = [type(open_target(target, tmp_path, programs, lambda _: None)) for target in targets]
    assert opened == [SimulatedCluster, K3dCluster, ExistingCluster]


def test_each_target_says_which_programs_it_needs(tmp_path: Path) -> None:
    """Nothing is installed that is not needed, and nothing is missing without a word."""
    assert required_programs(Target("sim", "")) == PROGRAMS
    assert required_programs(Target("k3d", "")) == ("k3d",)
    assert required_programs(Target("kubeconfig", "", tmp_path)) == ()
    with pytest.raises(ClusterError, match="Target k3d needs k3d"):
        open_target(Target("k3d", ""), tmp_path, {}, lambda _: None)


def test_an_existing_cluster_that_answers_is_up_even_if_it_refuses(tmp_path: Path, port: int) -> None:
    """What the user may do shows later; that there is a cluster is all that is asked here."""
    kubeconfig = _kubeconfig(tmp_path / "config", f"http://{LOOPBACK}:{port}")
    cluster = ExistingCluster(kubeconfig, pytest.fail)
    assert cluster.up() == kubeconfig
    assert cluster.status().ready


def test_an_existing_cluster_that_does_not_answer_is_a_clear_error(tmp_path: Path) -> None:
    """The message names server and file."""
    server = f"https://{LOOPBACK}:{choose_free_port(())}"
    cluster = ExistingCluster(_kubeconfig(tmp_path / "config", server), pytest.fail)
    with pytest.raises(ClusterError, match=rf"{server} of .*config does not answer.*Check that"):
        cluster.up()
    assert not cluster.status().ready


def test_an_existing_cluster_is_never_stopped_or_deleted(tmp_path: Path) -> None:
    """It is not ours."""
    reports: list[str] = []
    cluster = ExistingCluster(tmp_path / "config", reports.append)
    cluster.down()
    cluster.delete()
    assert [report.split(":")[0] for report in reports] == ["There is nothing to stop", "There is nothing to delete"]


@pytest.mark.parametrize("content", ["", "a: b", "[", "current-context: gone\ncontexts: []\nclusters: []"])
def test_a_damaged_kubeconfig_is_a_clear_error(tmp_path: Path, content: str) -> None:
    """No traceback."""
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(ClusterError, match=r"(?s)cannot be used.*current context"):
        ExistingCluster(path, pytest.fail).up()


def test_a_docker_engine_answers_over_a_tcp_address(port: int) -> None:
    """DOCKER_HOST is respected."""
    assert docker_answers({"DOCKER_HOST": f"tcp://{LOOPBACK}:{port}"})


def test_a_docker_engine_answers_over_a_unix_socket(tmp_path: Path) -> None:
    """The usual way."""
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1)

        def answer() -> None:
            connection = server.accept()[0]
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")

        threading.Thread(target=answer, daemon=True).start()
        assert docker_answers({"DOCKER_HOST": f"unix://{path}"})


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "ssh://somewhere", "tcp://", "tcp://127.0.0.1:x"])
def test_a_docker_engine_that_cannot_be_asked_does_not_answer(host: str) -> None:
    """The choice goes on without it."""
    assert not docker_answers({"DOCKER_HOST": host})
