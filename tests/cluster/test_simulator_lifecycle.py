"""Start and end of the simulated cluster, proven with the real programs."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.control_plane import ETCD_PEER
from cluster.errors import ClusterError
from cluster.ports import LOOPBACK, is_free, settle_ports
from cluster.processes import start_time
from cluster.simulator import Simulator
from cluster.variant import API_SERVER, SCHEDULER
from tests.cluster.conftest import Api

pytestmark = pytest.mark.sim


@pytest.fixture(scope="module")
def own_reports() -> list[str]:
    """Reports of the cluster of this module."""
    return []


@pytest.fixture(scope="module")
def own(
    programs: dict[str, Path], own_reports: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Simulator]:
    """A cluster that the tests of this module may start and stop."""
    cluster = Simulator(tmp_path_factory.mktemp("own") / "sim", programs, report=own_reports.append)
    try:
        yield cluster
    finally:
        cluster.delete()


def _server_of(kubeconfig: Path) -> str:
    server: str = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    return server


def test_a_cluster_survives_a_stop_and_leaves_nothing_running(
    own: Simulator, api_of: Callable[[Simulator], Api]
) -> None:
    """A stop ends every process and closes every port; the next start brings the data back at the same address."""
    kubeconfig = own.start()
    server = _server_of(kubeconfig)
    requests = api_of(own)
    requests.namespace("kept")
    requests.client.close()
    running = own.status()
    own.stop()
    assert [start_time(process.pid) for process in running.processes if process.pid] == [None] * 5
    assert [port for port in running.ports.values() if not is_free(port)] == []
    assert {process.state for process in own.status().processes} == {"absent"}
    own.start()
    assert _server_of(kubeconfig) == server
    requests = api_of(own)
    assert requests.get("/api/v1/namespaces/kept")
    requests.client.close()


def test_a_kept_port_that_was_lost_is_replaced_and_said_so(own: Simulator, own_reports: list[str]) -> None:
    """If another program took the port meanwhile, the cluster moves and the kubeconfig follows."""
    own.start()
    port = own.status().ports[API_SERVER]
    own.stop()
    with socket.create_server((LOOPBACK, port)):
        kubeconfig = own.start()
        assert own.status().ready
    moved = own.status().ports[API_SERVER]
    assert moved != port
    assert _server_of(kubeconfig).endswith(f":{moved}")
    assert any(f"Port {port} of {API_SERVER}" in report for report in own_reports)


@pytest.mark.parametrize("name", [ETCD_PEER, SCHEDULER])
def test_a_port_that_is_lost_between_choice_and_start_is_replaced(
    own: Simulator, own_reports: list[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Another cluster that starts at the same moment may have chosen it, too; the first one to listen has it."""
    own.start()
    own.stop()
    with ExitStack() as others:
        taken: list[int] = []

        def settle(*arguments: Any) -> dict[str, int]:
            settled = settle_ports(*arguments)
            if not taken:
                taken.append(settled[name])
                others.enter_context(socket.create_server((LOOPBACK, settled[name])))
            return settled

        monkeypatch.setattr("cluster.simulator.settle_ports", settle)
        own.start()
        assert own.status().ready
    assert own.status().ports[name] != taken[0]
    assert any(f"Port {taken[0]} of {name} is now used by another program" in report for report in own_reports)


def test_a_requested_port_that_is_taken_is_a_clear_error(programs: dict[str, Path], tmp_path: Path) -> None:
    """The message names the port and the cure, and nothing is started."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        cluster = Simulator(tmp_path / "sim", programs, api_port=port, report=lambda _: None)
        with pytest.raises(ClusterError, match=rf"Port {port} .* used by another program.*ask for"):
            cluster.start()
    assert {process.state for process in cluster.status().processes} == {"absent"}


def test_two_starts_at_once_end_with_one_cluster(programs: dict[str, Path], tmp_path: Path) -> None:
    """The second start waits for the first and finds everything running."""
    directory = tmp_path / "sim"
    command = [sys.executable, "-m", "cluster", "start", "--directory", str(directory)]
    together = tmp_path / "programs"
    together.mkdir()
    for name, path in programs.items():
        (together / name).symlink_to(path)
    command += ["--programs", str(together)]
    cluster = Simulator(directory, programs, report=lambda _: None)
    try:
        starts = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
        ]
        outputs = [start.communicate(timeout=240) for start in starts]
        assert [start.returncode for start in starts] == [0, 0], outputs
        assert {output.strip() for output, _ in outputs} == {str(directory / "kubeconfig")}
        assert sum("Waiting for another command" in errors for _, errors in outputs) == 1
        assert cluster.status().ready
        assert not list((directory / "logs").glob("*.previous.log"))
    finally:
        cluster.delete()
    assert not directory.exists()
