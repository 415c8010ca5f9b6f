"""The simulated cluster, proven with the real programs."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.control_plane import PROGRAMS
from cluster.simulator import Simulator
from tests.cluster.conftest import Api

pytestmark = pytest.mark.sim
MEMORY_LIMIT_MIB = 1536


def _condition(item: dict[str, Any], kind: str) -> str | None:
    conditions = item.get("status", {}).get("conditions", [])
    return next((entry["status"] for entry in conditions if entry["type"] == kind), None)


def _containers(item: dict[str, Any]) -> list[dict[str, Any]]:
    statuses: list[dict[str, Any]] = item["status"].get("containerStatuses", [])
    return statuses


def _is_ready(item: dict[str, Any]) -> bool:
    return _condition(item, "Ready") == "True"


def _pids(simulator: Simulator) -> dict[str, int | None]:
    return {process.name: process.pid for process in simulator.status().processes}


def test_three_nodes_are_ready_in_three_zones(api: Api) -> None:
    """Spreading over zones can be exercised."""
    nodes = api.get("/api/v1/nodes")["items"]
    zones = {node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes}
    assert all(_is_ready(node) for node in nodes)
    assert (len(nodes), len(zones)) == (3, 3)


def test_a_node_keeps_the_size_it_was_created_with(api: Api) -> None:
    """A node autoscaler chooses it; nodes that name none have 16 cores."""
    path = "/api/v1/nodes/sized"
    size = {"cpu": "4", "memory": "8Gi", "pods": "20"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "sized"}, "spec": {"podCIDR": "10.244.90.0/24"}}
    api.apply(path, node | {"status": {"capacity": size, "allocatable": size | {"cpu": "3900m"}}})
    try:
        status = api.eventually(path, _is_ready)["status"]
        assert status["capacity"] == size
        assert status["allocatable"] == size | {"cpu": "3900m"}
        assert api.get("/api/v1/nodes/node-a")["status"]["allocatable"]["cpu"] == "16"
    finally:
        api.client.delete(path)


def test_a_restricted_deployment_becomes_available(api: Api, pod_specification: Callable[..., dict[str, Any]]) -> None:
    """The platform's kind of workload runs where the restricted profile is enforced, spread over the zones."""
    api.namespace("restricted")
    labels = {"app": "service"}
    specification = pod_specification()
    specification["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": labels},
        }
    ]
    template = {"metadata": {"labels": labels}, "spec": specification}
    path = "/apis/apps/v1/namespaces/restricted/deployments/service"
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "service"},
        "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": template},
    }
    api.apply(path, deployment)
    api.eventually(path, lambda found: found.get("status", {}).get("availableReplicas") == 3)
    pods = api.get("/api/v1/namespaces/restricted/pods?labelSelector=app%3Dservice")["items"]
    assert len({item["spec"]["nodeName"] for item in pods}) == 3


def test_a_privileged_pod_is_refused(api: Api, pod: Callable[..., dict[str, Any]]) -> None:
    """The control run of the restricted profile: it is really enforced."""
    path = api.namespace("refusing")
    manifest = pod("privileged")
    manifest["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    assert api.is_refused(f"{path}/pods/privileged", manifest)


def test_a_pod_becomes_ready_by_itself(api: Api, pod: Callable[..., dict[str, Any]]) -> None:
    """The scheduler places it and the simulated node starts it."""
    path = api.namespace("quick")
    api.apply(f"{path}/pods/quick", pod("quick"))
    api.eventually(f"{path}/pods/quick", _is_ready)


def test_a_claim_is_bound_to_a_volume_and_can_grow(api: Api, pod: Callable[..., dict[str, Any]]) -> None:
    """The default StorageClass gives a volume to the first pod that needs one, and a bigger one later."""
    path = api.namespace("storage")
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    claim_path = f"{path}/persistentvolumeclaims/data"
    api.apply(claim_path, claim)
    user = pod("user")
    user["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    api.apply(f"{path}/pods/user", user)
    bound = api.eventually(claim_path, lambda found: found["status"]["phase"] == "Bound")
    api.eventually(f"{path}/pods/user", _is_ready)
    claim["spec"] = {**bound["spec"], "resources": {"requests": {"storage": "5Gi"}}}
    api.apply(claim_path, claim)
    api.eventually(claim_path, lambda found: found["status"]["capacity"]["storage"] == "5Gi")
    volume = api.get(f"/api/v1/persistentvolumes/{bound['spec']['volumeName']}")
    assert volume["spec"]["capacity"]["storage"] == "5Gi"


@dataclass(frozen=True)
class Fault:
    """A fault and what it must look like.

    Attributes:
        name: of pod and namespace.
        event: reason of the event.
        annotation: that asks for the fault.
        tag: of the image.
        waiting: reason why the container waits.
    """

    name: str
    event: str
    annotation: str = ""
    tag: str = "1.0.0"
    waiting: str | None = None


FAULTS = (
    Fault("unpullable", "Failed", tag="2.0.0-unpullable", waiting="ImagePullBackOff"),
    Fault("crash-loop", "BackOff", annotation="crash-loop", waiting="CrashLoopBackOff"),
    Fault("never-ready", "Unhealthy", annotation="never-ready"),
    Fault("misspelt", "UnknownFault", annotation="crashloop"),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_faulty_pod_shows_its_reason_and_an_event(api: Api, pod: Callable[..., dict[str, Any]], fault: Fault) -> None:
    """A bad release looks as it does on a real node: the same reasons, events and missing readiness."""
    path, image = api.namespace(f"fault-{fault.name}"), f"registry.example/service:{fault.tag}"
    annotations = {"sim.alt-las/fault": fault.annotation} if fault.annotation else {}
    api.apply(f"{path}/pods/{fault.name}", pod(fault.name, annotations, image=image))

    def is_faulty(found: dict[str, Any]) -> bool:
        reasons = [entry["state"].get("waiting", {}).get("reason") for entry in _containers(found)]
        return _condition(found, "Ready") == "False" and (fault.waiting is None or fault.waiting in reasons)

    found = api.eventually(f"{path}/pods/{fault.name}", is_faulty)
    selector = f"{path}/events?fieldSelector=involvedObject.name%3D{fault.name},reason%3D{fault.event}"
    event = api.eventually(selector, lambda events: bool(events["items"]))["items"][0]
    assert (event["type"], event["involvedObject"]["kind"]) == ("Warning", "Pod")
    for _ in range(10):
        time.sleep(0.03)
        assert is_faulty(api.get(f"{path}/pods/{fault.name}")), "the fault went away by itself"
    if fault.waiting == "ImagePullBackOff":
        assert image in event["message"]
        assert image in _containers(found)[0]["state"]["waiting"]["message"]
    if fault.waiting == "CrashLoopBackOff":
        assert _containers(found)[0]["restartCount"] >= 1


def test_a_pod_recovers_when_its_fault_is_taken_away(api: Api, pod: Callable[..., dict[str, Any]]) -> None:
    """The control run of the faults: the same pod without one is ready."""
    path = api.namespace("recovering") + "/pods/recovering"
    api.apply(path, pod("recovering", {"sim.alt-las/fault": "never-ready"}))
    api.eventually(path, lambda found: _condition(found, "Ready") == "False")
    api.apply(path, pod("recovering"))
    api.eventually(path, _is_ready)


@pytest.mark.parametrize(("fault", "outcome"), [(None, "Complete"), ("crash-loop", "Failed")])
def test_a_job_ends(
    api: Api, pod_specification: Callable[..., dict[str, Any]], fault: str | None, outcome: str
) -> None:
    """Jobs complete, and fail where their pods crash."""
    name = f"job-{outcome.lower()}"
    api.namespace(name)
    annotations = {"sim.alt-las/fault": fault} if fault else {}
    template = {"metadata": {"annotations": annotations}, "spec": {**pod_specification(), "restartPolicy": "Never"}}
    path = f"/apis/batch/v1/namespaces/{name}/jobs/task"
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "task"},
        "spec": {"backoffLimit": 0, "template": template},
    }
    api.apply(path, job)
    api.eventually(path, lambda found: _condition(found, outcome) == "True")


@pytest.mark.parametrize("victim", PROGRAMS)
def test_a_killed_process_comes_back_with_all_data(
    simulator: Simulator,
    api_of: Callable[[Simulator], Api],
    pod: Callable[..., dict[str, Any]],
    victim: str,
) -> None:
    """After kill -9 of any process one start restores the cluster: old objects are there, new pods run."""
    before = api_of(simulator)
    path = before.namespace(f"kill-{victim}")
    marker = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "marker"}, "data": {"kept": victim}}
    before.apply(f"{path}/configmaps/marker", marker)
    before.client.close()
    pid = _pids(simulator)[victim]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while victim not in [process.name for process in simulator.status().processes if process.state == "dead"]:
        time.sleep(0.01)
    assert not simulator.status().ready
    simulator.start()
    after = api_of(simulator)
    assert after.get(f"{path}/configmaps/marker")["data"] == {"kept": victim}
    after.apply(f"{path}/pods/new", pod("new"))
    after.eventually(f"{path}/pods/new", _is_ready)
    after.client.close()
    assert _pids(simulator)[victim] != pid


def test_a_start_of_a_running_cluster_changes_nothing_and_is_quick(simulator: Simulator) -> None:
    """Every command may begin with a start."""
    before = _pids(simulator)
    begin = time.process_time()
    simulator.start()
    assert time.process_time() - begin < 0.5
    assert _pids(simulator) == before


def test_the_kubeconfig_is_private_and_needs_no_other_file(simulator: Simulator) -> None:
    """It holds the administrator's key, so only the owner may read it, and it can be copied elsewhere."""
    kubeconfig = simulator.start()
    content = yaml.safe_load(kubeconfig.read_text())
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600
    assert content["current-context"] == "alt-las-sim"
    assert set(content["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}
    open_files = [path for path in kubeconfig.parent.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert open_files == []


def test_all_processes_together_stay_within_their_memory(simulator: Simulator) -> None:
    """1.5 GiB is what a laptop can spare."""
    status = simulator.status()
    assert status.ready, status.describe()
    assert 0 < status.memory_mib < MEMORY_LIMIT_MIB, status.describe()


def test_only_loopback_addresses_are_listened_on(simulator: Simulator) -> None:
    """Nobody in the same network can reach the cluster."""
    table = Path("/proc/net/tcp")
    if not table.exists():
        pytest.skip("needs /proc/net/tcp")
    ports = {f"{port:04X}" for port in simulator.status().ports.values()}
    local = [line.split()[1].split(":") for line in table.read_text().splitlines()[1:] if line.split()[3] == "0A"]
    # The last byte comes first there; servers of other tests may have the same port on another loopback address.
    assert {address[-2:] for address, port in local if port in ports} == {"7F"}


def test_requests_are_counted_when_an_audit_log_is_asked_for(programs: dict[str, Path], tmp_path: Path) -> None:
    """Each API request is one JSON line."""
    cluster = Simulator(tmp_path / "sim", programs, audit_log=True, report=lambda _: None)
    try:
        cluster.start()
        # The API server goes on writing, so the last line may not be whole.
        *lines, _ = cluster.audit_log_file.read_text().split("\n")
        assert any(json.loads(line).get("objectRef", {}).get("resource") == "nodes" for line in lines)
    finally:
        cluster.delete()
