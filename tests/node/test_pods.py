"""Pods on three real nodes: traffic, names, policies, limits, metrics, volumes, the loss of a node."""

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.node.machine import first_process
from tests.node.real_cluster import NAMESPACE, RealCluster, pod_spec, real_cluster, wait_until, workload
from tests.support.figures import Figures

pytestmark = pytest.mark.node

NODES = ("node-a", "node-b", "node-c")
_SERVE = "hostname > /www/index.html && exec httpd -f -p 8080 -h /www"
_READY = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
_PAGES = {"volumes": [{"name": "www", "emptyDir": {}}]}
_NAME = f"web.{NAMESPACE}.svc.cluster.local"
# Debian's busybox crashes where its wget has a time limit of its own and resolves a name.
_ASK = f"timeout 3 wget -q -O - http://{_NAME}/"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    """Three nodes with a web server and a client on each."""
    with real_cluster(tmp_path_factory.mktemp("nodes") / "cluster", 3) as made:
        web = pod_spec(_SERVE, readinessProbe=_READY, volumeMounts=[{"name": "www", "mountPath": "/www"}]) | _PAGES
        service = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
        made.apply(
            workload("DaemonSet", "web", web),
            workload("DaemonSet", "client", pod_spec("exec sleep 3600")),
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web", "namespace": NAMESPACE},
                "spec": service,
            },
        )
        for name in ("web", "client"):
            made.run("rollout", "status", f"daemonset/{name}", "--timeout=90s")
        yield made


def _policy(name: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def test_three_nodes_in_three_zones_are_ready(cluster: RealCluster, figures: Figures) -> None:
    """Each is a kubelet of the pinned version with containerd; the machine's own settings are as they were."""
    items = cluster.get("nodes")["items"]
    zones = {item["metadata"]["name"]: item["metadata"]["labels"]["topology.kubernetes.io/zone"] for item in items}
    assert zones == {"node-a": "zone-a", "node-b": "zone-b", "node-c": "zone-c"}
    runtimes = {item["status"]["nodeInfo"]["containerRuntimeVersion"] for item in items}
    assert [runtime.partition("~")[0] for runtime in runtimes] == ["containerd://1.6.20"]
    assert {item["status"]["nodeInfo"]["kubeletVersion"] for item in items} == {"v1.35.4"}
    figures.add("three real nodes until pods, names, metrics and policies work", f"{cluster.started_in:.1f} s")


def test_a_service_answers_on_every_node_by_its_name(cluster: RealCluster) -> None:
    """From each node, requests reach the pods of all three, through DNS and kube-proxy."""
    servers = {pod["metadata"]["name"] for pod in cluster.pods("web").values()}
    assert len(servers) == 3
    clients = [cluster.pods("client")[node]["metadata"]["name"] for node in NODES]

    def answers() -> list[set[str]]:
        asked = [cluster.shell(client, f"for i in $(seq 30); do {_ASK} || exit 1; done") for client in clients]
        assert [done.returncode for done in asked] == [0, 0, 0]
        return [set(done.stdout.split()) for done in asked]

    # kube-proxy takes endpoints over about a second after they are ready.
    wait_until(lambda: answers() == [servers] * 3, 10)


def test_a_policy_refuses_and_another_one_opens(cluster: RealCluster, figures: Figures) -> None:
    """On every node a listener that has just answered is refused, but for its kubelet; a rule opens it again."""
    clients = [pod["metadata"]["name"] for pod in cluster.pods("client").values()]

    def answers() -> list[bool]:
        return [cluster.shell(client, f"{_ASK} >/dev/null").returncode == 0 for client in clients]

    assert answers() == [True, True, True]
    cluster.apply(_policy("deny", podSelector={"matchLabels": {"app": "web"}}, policyTypes=["Ingress"]))
    figures.add("a policy refuses after", f"{wait_until(lambda: not any(answers()), 15):.1f} s")
    client = {"podSelector": {"matchLabels": {"app": "client"}}}
    # Judged after address translation: by the pod's port, not by the Service's.
    ports = [{"port": 8080, "protocol": "TCP"}]
    web = {"matchLabels": {"app": "web"}}
    wrong = [{"from": [client], "ports": [{"port": 80, "protocol": "TCP"}]}]
    cluster.apply(_policy("allow", podSelector=web, policyTypes=["Ingress"], ingress=wrong))
    assert answers() == [False, False, False]
    cluster.apply(
        _policy("allow", podSelector=web, policyTypes=["Ingress"], ingress=[{"from": [client], "ports": ports}])
    )
    figures.add("a policy opens after", f"{wait_until(lambda: all(answers()), 15):.1f} s")
    ready = [pod["status"]["containerStatuses"][0] for pod in cluster.pods("web").values()]
    assert [(status["ready"], status["restartCount"]) for status in ready] == [(True, 0)] * 3
    cluster.run("delete", "networkpolicy", "--all")


def test_a_container_over_its_memory_limit_is_ended_by_the_kernel(cluster: RealCluster) -> None:
    """The same program within the limit is not."""
    for name, limit in (("greedy", "24Mi"), ("modest", "200Mi")):
        # Awk keeps 60 MB in one string.
        script = 'awk \'BEGIN { s = sprintf("%60000000s", ""); print length(s) }\''
        limits = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": limit}}
        spec = pod_spec(script, resources=limits) | {"restartPolicy": "Never"}
        cluster.apply(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}
        )

    def ended() -> dict[str, str]:
        pods = [cluster.get("pod", name) for name in ("greedy", "modest")]
        states = {pod["metadata"]["name"]: pod["status"].get("containerStatuses", [{}])[0] for pod in pods}
        found = {name: status.get("state", {}).get("terminated", {}) for name, status in states.items()}
        return {name: f"{state['reason']} {state['exitCode']}" for name, state in found.items() if state}

    wait_until(lambda: len(ended()) == 2)
    assert ended() == {"greedy": "OOMKilled 137", "modest": "Completed 0"}


def test_an_autoscaler_scales_on_real_usage(cluster: RealCluster, figures: Figures) -> None:
    """The scaled pods burn the processor; the idle ones beside them do not count."""
    resources = {"requests": {"cpu": "20m", "memory": "16Mi"}, "limits": {"cpu": "150m", "memory": "32Mi"}}
    cluster.apply(
        workload("Deployment", "busy", pod_spec("while :; do :; done", resources=resources)),
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "busy", "namespace": NAMESPACE},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"},
                "maxReplicas": 2,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "50m"}},
                    }
                ],
            },
        },
    )
    seconds = wait_until(lambda: cluster.get("deployment", "busy")["status"].get("readyReplicas") == 2, 120)
    figures.add("an autoscaler scaled on real usage after", f"{seconds:.1f} s")
    usage = {
        line.split()[0]: int(line.split()[1].rstrip("m"))
        for line in cluster.run("top", "pods", "--no-headers").splitlines()
    }
    assert max(value for name, value in usage.items() if name.startswith("busy")) > 50
    assert max(value for name, value in usage.items() if name.startswith("client")) < 50
    cluster.run("delete", "deployment/busy", "hpa/busy")


def test_a_lost_node_is_noticed_and_comes_back_with_its_volume(cluster: RealCluster, figures: Figures) -> None:
    """A pod without data moves to another node; one with a volume waits for its node, and finds what it had written."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    store = pod_spec("exec sleep 3600", volumeMounts=[{"name": "data", "mountPath": "/data"}]) | {
        "nodeSelector": {"kubernetes.io/hostname": "node-c"}
    }
    prefers = {
        "weight": 100,
        "preference": {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-c"]}]},
    }
    free = pod_spec("exec sleep 3600") | {
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [prefers]}}
    }
    templates = [{"metadata": {"name": "data"}, "spec": claim}]
    cluster.apply(
        workload("StatefulSet", "store", store, serviceName="store", volumeClaimTemplates=templates),
        workload("Deployment", "free", free),
    )
    cluster.run("rollout", "status", "statefulset/store", "--timeout=60s")
    cluster.run("rollout", "status", "deployment/free", "--timeout=60s")
    assert set(cluster.pods("free")) == {"node-c"}
    assert cluster.shell("store-0", "echo kept > /data/file && sync").returncode == 0
    cluster.run("delete", "pod", "store-0")
    cluster.run("rollout", "status", "statefulset/store", "--timeout=60s")
    assert cluster.shell("store-0", "cat /data/file").stdout == "kept\n"

    _, record = cluster.cluster.node("node-c")
    os.kill(first_process(record) or record.pid, signal.SIGKILL)

    def ready(node: str) -> str:
        conditions = cluster.get("node", node)["status"]["conditions"]
        return next(str(item["status"]) for item in conditions if item["type"] == "Ready")

    noticed = wait_until(lambda: ready("node-c") == "Unknown", 40)
    moved = wait_until(lambda: _runs_beside(cluster), 60)
    figures.add("a lost node is noticed, and its pod runs elsewhere", f"{noticed:.1f} s and {moved:.1f} s later")
    start = time.monotonic()
    cluster.cluster.up()
    figures.add("a lost node is Ready again after", f"{time.monotonic() - start:.1f} s")
    assert "Failed to create existing container" not in (cluster.folder / "nodes/node-c/kubelet.log").read_text()
    wait_until(lambda: ready("node-c") == "True")
    cluster.run("wait", "pod/store-0", "--for=condition=Ready", "--timeout=90s")
    assert cluster.shell("store-0", "cat /data/file").stdout == "kept\n"


def _runs_beside(cluster: RealCluster) -> bool:
    pods = cluster.pods("free")
    return bool(pods) and "node-c" not in pods and all(pod["status"]["phase"] == "Running" for pod in pods.values())
