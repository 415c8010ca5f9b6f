"""Real nodes without starting any: addresses, control groups, objects, and what refuses them."""

from __future__ import annotations

import ipaddress
import itertools
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from cluster.__main__ import main
from cluster.errors import ClusterError
from cluster.node import cgroups, requirements
from cluster.node import network as networks
from cluster.node.cgroups import Hierarchy, entrances, hierarchies, renew_groups
from cluster.node.network import MOST_CLUSTERS, Network, claim_network
from cluster.node.node_cluster import NodeCluster, requested_nodes
from cluster.node.objects import VOLUMES, objects

_OWNER = Path("/project/.altlas/node")


class FakeMachine:
    """A machine's links and routes, and what `ip` would do with them."""

    def __init__(self) -> None:
        """Start with the loopback interface alone."""
        self.links: list[dict[str, object]] = [{"ifname": "lo"}]
        self.routes: list[dict[str, object]] = [{"dst": "default", "dev": "eth0"}]
        self.commands: list[str] = []

    def run(self, command: Sequence[str]) -> str:
        """Answer a question as JSON; remember anything else."""
        match command[1:]:
            case ("-json", "link", *_):
                return json.dumps(self.links)
            case ("-json", "route", *_):
                return json.dumps(self.routes)
            case ("link", "add", name, *_):
                self.links.append({"ifname": name})
            case ("link", "set", name, "alias", owner):
                self.links[-1]["ifalias"] = owner
        self.commands.append(" ".join(command[1:]))
        return ""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """A machine on which nothing is really changed."""
    made = FakeMachine()
    monkeypatch.setattr(networks, "run", made.run)
    return made


def test_no_two_clusters_share_an_address_or_a_name() -> None:
    """Of all clusters that one machine may have; within one, nodes, gateway and pods of each node are apart."""
    all_of_them = [Network(number, 9) for number in range(MOST_CLUSTERS)]
    ranges = [ipaddress.ip_network(each.addresses) for each in all_of_them]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(ranges, 2))
    assert not any(each.overlaps(ipaddress.ip_network("10.96.0.0/16")) for each in ranges)
    for each in all_of_them:
        pods = [ipaddress.IPv4Network(each.pods_of(node)) for node in each.nodes]
        single = {each.gateway, *map(each.address_of, each.nodes)}
        assert len(single) == 10
        assert not any(one.overlaps(other) for one, other in itertools.combinations(pods, 2))
        assert all(one.subnet_of(ipaddress.IPv4Network(each.pods)) for one in pods)
        assert not any(ipaddress.ip_address(one) in ipaddress.ip_network(each.pods) for one in single)
        assert all(len(each.interface_of(node)) <= 15 for node in each.nodes)
    assert len({each.bridge for each in all_of_them}) == MOST_CLUSTERS


def test_a_free_number_is_claimed_and_kept(machine: FakeMachine) -> None:
    """The first number goes to the first cluster; its second start finds its own bridge."""
    assert claim_network(None, 3, _OWNER).number == 0
    assert claim_network(None, 3, Path("/other")).number == 1
    made = len([command for command in machine.commands if "type bridge" in command])
    assert (claim_network(0, 3, _OWNER).number, claim_network(1, 3, Path("/other")).number) == (0, 1)
    assert len([command for command in machine.commands if "type bridge" in command]) == made == 2


def test_a_range_to_which_the_machine_has_a_route_is_left_alone(machine: FakeMachine) -> None:
    """Also a part of the range, and a wider one."""
    machine.routes += [{"dst": "10.180.7.0/24", "dev": "vpn0"}, {"dst": "10.181.0.5", "dev": "vpn0"}]
    assert claim_network(None, 3, _OWNER).number == 2
    machine.routes.append({"dst": "10.0.0.0/8", "dev": "vpn0"})
    with pytest.raises(ClusterError, match=r"altlas0: this machine has a route to 10.180.7.0/24 by vpn0; .*make down"):
        claim_network(None, 3, Path("/third"))


def test_a_machine_full_of_clusters_refuses_one_more(machine: FakeMachine) -> None:
    """Every bridge is named, with how to remove it; none of them is touched."""
    machine.links += [{"ifname": f"altlas{number}", "ifalias": "/other"} for number in range(MOST_CLUSTERS)]
    with pytest.raises(
        ClusterError, match=r"altlas19: the bridge exists and belongs to another cluster\. .*ip link delete"
    ):
        claim_network(None, 3, _OWNER)
    Network(0, 3).remove(_OWNER)
    assert machine.commands == []


def test_control_groups_of_both_versions_are_found() -> None:
    """A machine may have the first version, the second one, or both."""
    mounts = (
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
        "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
        "34 31 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "35 31 0:32 / /sys/fs/cgroup/unified rw - cgroup2 none rw"
    )
    root = Path("/sys/fs/cgroup")
    assert hierarchies(mounts) == (
        Hierarchy(root / "cpuset", unified=False, cpusets=True),
        Hierarchy(root / "memory", unified=False, cpusets=False),
        Hierarchy(root / "unified", unified=True, cpusets=False),
    )
    assert hierarchies("29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw") == (Hierarchy(root, True, False),)


def test_a_new_group_of_processors_gets_those_of_the_group_above(tmp_path: Path) -> None:
    """In the first version it would else be empty, and no process could enter it."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        (tmp_path / name).write_text("0-1\n")
    Hierarchy(tmp_path, unified=False, cpusets=True).make("altlas0/node-a/daemons")
    found = {file.relative_to(tmp_path).as_posix(): file.read_text() for file in tmp_path.rglob("cpuset.*")}
    folders = ("", "altlas0/", "altlas0/node-a/", "altlas0/node-a/daemons/")
    assert found == {f"{folder}cpuset.{name}": "0-1\n" for folder in folders for name in ("cpus", "mems")}


def test_the_second_version_is_told_which_controllers_go_down(tmp_path: Path) -> None:
    """Those that are there, of those that kubelet needs."""
    for folder in ("", "altlas0", "altlas0/node-a"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    Hierarchy(tmp_path, unified=True, cpusets=False).make("altlas0/node-a/daemons")
    told = {file.parent.name: file.read_text() for file in tmp_path.rglob("cgroup.subtree_control")}
    assert told == dict.fromkeys((tmp_path.name, "altlas0", "node-a"), "+cpuset +cpu +io +memory +pids")


def test_a_node_starts_without_the_groups_of_its_former_pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubelet asks three seconds long for the container of each, before its node is ready."""
    versions = [Hierarchy(tmp_path / "pids", unified=False, cpusets=False)]
    monkeypatch.setattr(cgroups, "hierarchies", lambda: versions)
    for group in ("node-a/kubepods/burstable/pod1/container1", "node-a/daemons", "node-b/kubepods"):
        (tmp_path / "pids/altlas0" / group).mkdir(parents=True)
    renew_groups("altlas0/node-a")
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    groups = ("node-a", "node-a/daemons", "node-b", "node-b/kubepods")
    assert found == {"pids", "pids/altlas0", *(f"pids/altlas0/{group}" for group in groups)}
    assert entrances("altlas0/node-a") == (tmp_path / "pids/altlas0/node-a/daemons/cgroup.procs",)


def test_a_node_whose_group_holds_processes_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be of another node; a file stands for what the kernel does not remove."""
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [Hierarchy(tmp_path, unified=False, cpusets=False)])
    monkeypatch.setattr(cgroups, "_GONE_SECONDS", 0)
    (tmp_path / "altlas0/node-a").mkdir(parents=True)
    (tmp_path / "altlas0/node-a/held").touch()
    with pytest.raises(ClusterError, match="Processes are left in"):
        renew_groups("altlas0/node-a")


def test_every_node_has_its_volumes_and_only_one_class_is_the_default() -> None:
    """Each volume is bound to one node, where its folder lies."""
    items = json.loads(objects(Network(0, 3)))["items"]
    volumes = [item for item in items if item["kind"] == "PersistentVolume"]
    (name,) = {item["metadata"]["name"] for item in items if item["kind"] == "StorageClass"}
    assert len(volumes) == 3 * VOLUMES == len({item["metadata"]["name"] for item in volumes})
    assert {item["spec"]["storageClassName"] for item in volumes} == {name}
    wanted = [item["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0] for item in volumes]
    assert {term["matchExpressions"][0]["values"][0] for term in wanted} == {"node-a", "node-b", "node-c"}


def test_another_machine_is_refused_with_its_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that can be seen is named at once, and nothing is made."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match=r"cannot run real nodes: only root can make .*sudo.* TARGET=sim\.$"):
        requirements.check(tmp_path / "node", {})
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 30))
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "nsenter" else f"/usr/bin/{name}")
    assert requirements.lacking(Path("/var/lib/project/node")) == [
        "there is no program `nsenter`",
        "the cluster's folder is /var/lib/project/node, and nodes have folders of their own at /var, /run, /proc, /sys",
        "the disk of /var/lib/project/node has 1.0 GiB free, and nodes need 3",
    ]
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert requirements.lacking(tmp_path) == ["it is Linux on aarch64, and only Linux on x86_64 is known to work"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("value", "count"), [("", 3), ("1", 1), ("9", 9)])
def test_the_number_of_nodes_can_be_chosen(value: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three without a word."""
    monkeypatch.setenv("ALT_LAS_NODES", value)
    assert requested_nodes() == count


def test_a_wrong_number_of_nodes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is made."""
    monkeypatch.setenv("ALT_LAS_NODES", "many")
    with pytest.raises(ClusterError, match=r"^ALT_LAS_NODES is 'many'; it must be a number from 1 to 9\.$"):
        requested_nodes()
    with pytest.raises(ClusterError, match=r"^10 nodes are asked for; there can be from 1 to 9\.$"):
        NodeCluster(tmp_path / "node", {}, print, 10)
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_that_never_was_can_be_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also by the command line, which shows its state."""
    folder = str(tmp_path / "node")
    assert [main([word, "--target", "node", "--directory", folder]) for word in ("down", "delete", "status")] == [0] * 3
    output = capsys.readouterr()
    assert f"{output.err}{output.out}" == f"There is no cluster of real nodes in {folder}.\n" * 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"number": "x", "count": 3}', b'{"number": 1}'])
def test_a_damaged_file_of_the_network_is_refused_by_its_path(tmp_path: Path, content: bytes) -> None:
    """No traceback; the control is a file as it was written."""
    cluster, file = NodeCluster(tmp_path, {}, print), tmp_path / "network.json"
    file.write_text('{"number": 1, "count": 3}')
    assert cluster.network() == Network(1, 3)
    file.write_bytes(content)
    with pytest.raises(ClusterError, match=rf"{file} cannot be read .*then delete that directory"):
        cluster.status()
