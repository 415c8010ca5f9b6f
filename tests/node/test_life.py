"""Life of a cluster of real nodes: killed parts, two clusters at once, and nothing left behind."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.node.cgroups import hierarchies
from cluster.node.machine import first_process
from cluster.node.network import Network
from cluster.node.packages import node_packages
from cluster.node.requirements import untried
from cluster.state import load_state
from tests.node.processes import DAEMONS, daemon, processes
from tests.node.real_cluster import RealCluster, pod_spec, real_cluster, wait_until, workload
from tests.support.figures import Figures

pytestmark = pytest.mark.node

_SETTINGS = ("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "net/ipv4/ip_forward")


@dataclass(frozen=True)
class Machine:
    """Facts of this machine that a cluster could change.

    Attributes:
        settings: Values of the kernel.
        filters: Rules of the packet filter and sets of addresses.
    """

    settings: tuple[str, ...]
    filters: str


def machine() -> Machine:
    """The machine as it is now, outside every node."""
    environment = node_packages().environment(Path("/"), {})
    commands = (("iptables-save",), ("ipset", "save"))
    printed = [subprocess.run(each, env=environment, capture_output=True, text=True, check=False) for each in commands]
    rules = [line for done in printed for line in done.stdout.splitlines() if not line.startswith(("#", ":"))]
    return Machine(tuple(Path("/proc/sys", name).read_text() for name in _SETTINGS), "\n".join(rules))


def left(network: Network, folder: Path) -> list[str]:
    """Everything of a cluster that is on this machine, outside its folder."""
    ip = [subprocess.run(["ip", *what], capture_output=True, text=True, check=True) for what in (["link"], ["route"])]
    lines = [line for done in ip for line in done.stdout.splitlines() if network.bridge in line]
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line]
    groups = [str(each.folder / network.bridge) for each in hierarchies() if (each.folder / network.bridge).exists()]
    return lines + mounts + groups + [f"process {pid}" for pid in processes(str(folder))]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    """One node with one pod."""
    with real_cluster(tmp_path_factory.mktemp("node") / "cluster", 1) as made:
        made.apply(workload("Deployment", "steady", pod_spec("exec sleep 3600")))
        made.run("rollout", "status", "deployment/steady", "--timeout=60s")
        yield made


@pytest.mark.parametrize("name", DAEMONS)
def test_a_killed_daemon_is_started_again_and_the_pods_stay(cluster: RealCluster, name: str) -> None:
    """It is another process a moment later; no container is started again."""
    before = daemon(cluster.folder, "node-a", name)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: daemon(cluster.folder, "node-a", name) not in {None, before}, 20)
    node, record = cluster.cluster.node("node-a")
    wait_until(lambda: node.judges(record), 20)
    wait_until(lambda: cluster.shell("deployment/steady", "true").returncode == 0, 30)
    (pod,) = cluster.pods("steady").values()
    assert [status["restartCount"] for status in pod["status"]["containerStatuses"]] == [0]


def test_what_the_kernel_lacks_is_named(cluster: RealCluster) -> None:
    """With the words of the program that tried it; a try that works is not named."""
    tries = {"wings": "echo no wings here >&2; exit 1", "feet": "true"}
    environment = node_packages().environment(cluster.folder, {})
    assert untried(cluster.folder, environment, tries) == ["its kernel has no wings (no wings here)"]


def test_two_clusters_live_side_by_side_and_leave_nothing(
    cluster: RealCluster, tmp_path: Path, figures: Figures
) -> None:
    """The second one has another bridge and other addresses; every process of it is killed, and then it is stopped.

    Its data stays; a further start finds it. The first cluster notices nothing of all this.
    """
    before = machine()
    with real_cluster(tmp_path / "second", 1) as second:
        networks = [Network(**each.network) for each in (cluster, second)]
        assert networks[0].bridge != networks[1].bridge
        second.apply(workload("Deployment", "steady", pod_spec("exec sleep 3600")))
        second.run("rollout", "status", "deployment/steady", "--timeout=60s")
        assert left(networks[1], second.folder)
        states = [load_state(second.folder / place) for place in ("state.json", "control-plane/state.json")]
        records = [record for state in states for record in state.processes.values()]
        assert len(records) == 6
        init = first_process(load_state(second.folder / "state.json").processes["node-a"])
        assert init is not None
        for pid in (init, *(record.pid for record in records)):
            # The end of one process may already be that of another.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        second.cluster.down()
        assert left(networks[1], second.folder) == []
        assert machine() == before
        second.cluster.up()
        assert Network(**second.network) == networks[1]
        second.run("rollout", "status", "deployment/steady", "--timeout=60s")
        folder = second.folder
    assert left(networks[1], folder) == []
    assert machine() == before
    assert not folder.exists()
    assert cluster.shell("deployment/steady", "true").returncode == 0
    figures.add("one real node until pods work", f"{cluster.started_in:.1f} s")


def test_a_bridge_that_belongs_to_another_is_not_taken(cluster: RealCluster, tmp_path: Path) -> None:
    """A cluster whose own bridge was given to another one removes it not, and takes another one."""
    network = Network(**cluster.network)
    network.remove(tmp_path)
    assert f"{network.bridge}:" in subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
    with pytest.raises(ClusterError, match="There is no node node-b"):
        cluster.cluster.node("node-b")
