"""From a target to a cluster; the Docker engine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import open_target, required_programs
from cluster.control_plane import PROGRAMS
from cluster.errors import ClusterError
from cluster.existing import ExistingCluster
from cluster.k3d import K3dCluster
from cluster.node import node_cluster
from cluster.node.machine_settings import NODE_PROGRAMS
from cluster.node.node_cluster import NodeCluster
from cluster.ports import LOOPBACK
from cluster.simulated import SimulatedCluster
from cluster.target import Target
from components.stack.docker_engine import docker_answers
from tests.support.http_server import PingedEngine, http_server


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server that answers every request."""
    with http_server(PingedEngine) as port:
        yield port


def test_each_target_opens_its_own_kind_of_cluster(tmp_path: Path) -> None:
    """Commands need not know which."""
    programs = {name: Path("/programs") / name for name in (*PROGRAMS, "k3d", "kubectl")}
    programs |= {name: Path("/programs") / name for name in node_cluster.PROGRAMS}
    targets = [Target("sim", ""), Target("node", ""), Target("k3d", ""), Target("kubeconfig", "", tmp_path / "config")]
    opened = [type(open_target(target, tmp_path, programs, lambda _: None)) for target in targets]
    assert opened == [SimulatedCluster, NodeCluster, K3dCluster, ExistingCluster]


def test_each_target_says_which_programs_it_needs(tmp_path: Path) -> None:
    """Nothing is installed that is not needed, and nothing is missing without a word."""
    assert required_programs(Target("sim", "")) == PROGRAMS
    assert set(required_programs(Target("node", ""))) == {*PROGRAMS, *NODE_PROGRAMS, "kubectl"} - {"kwok"}
    assert required_programs(Target("k3d", "")) == ("k3d", "kubectl")
    assert required_programs(Target("kubeconfig", "", tmp_path)) == ("kubectl",)
    with pytest.raises(ClusterError, match="Target k3d needs k3d"):
        open_target(Target("k3d", ""), tmp_path, {}, lambda _: None)


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
