"""The quota of beta on a real API server: all that the stack may need at a time is admitted, and nothing beyond it."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from altlas.update.deployer_role import plural
from components.kubernetes.quantities import millicores
from components.stack.problems import PLATFORM_KEY
from policy.operator_pods import OPERATOR_KINDS
from tests.e2e.conftest import Project, project
from tests.support.loopback import wait_until
from tests.support.stack_files import change

__all__ = ["project"]
pytestmark = pytest.mark.e2e

NAMESPACE = "alt-las-beta"
EXCEEDED = "exceeded quota: platform"
MORE_NODES = 5
"""Nodes beyond those of the simulated cluster, for 56 cores that beta requests at its largest scale."""

MAXIMA = {
    "api-gateway": 20,
    "runner-service": 16,
    "segmentation-service": 15,
    "ai-orchestrator": 10,
    "archive-service": 12,
}


def apply(project: Project, *objects: dict[str, Any]) -> str:
    """Create objects; gives the refusal, or nothing."""
    path = project.root / "made.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    done = project.kubectl("create", "--filename", str(path))
    return done.error if done.code else ""


def node(number: int) -> dict[str, Any]:
    """A node that kwok plays."""
    name, pods = f"more-{number}", f"10.244.{100 + number}.0/24"
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    labels["topology.kubernetes.io/zone"] = f"zone-{'abc'[number % 3]}"
    metadata = {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"podCIDR": pods, "podCIDRs": [pods]}}


def pod(project: Project, name: str, containers: list[dict[str, Any]]) -> dict[str, Any]:
    """A pod as the admission rules of the namespace want it, with containers that have a name and resources only."""
    (grafana,) = (each for each in project.objects("deployments", NAMESPACE) if each["metadata"]["name"] == "grafana")
    template = grafana["spec"]["template"]
    first = {key: template["spec"]["containers"][0][key] for key in ("image", "securityContext")}
    spec = {"securityContext": template["spec"]["securityContext"], "automountServiceAccountToken": False}
    labels = {"app.kubernetes.io/part-of": "alt-las", "app.kubernetes.io/name": "made-here"}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    filled = [first | each for each in containers]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec | {"containers": filled}}


def of_operators(project: Project) -> Iterator[dict[str, Any]]:
    """Pods that operators, which do not run here, would make of the stack's custom resources, and one server more."""
    for (group, kind), describe in OPERATOR_KINDS.items():
        for each in project.objects(f"{plural(kind)}.{group}", NAMESPACE):
            spec = each["spec"]
            number = spec.get("instances", spec.get("replicas", 1)) + (kind == "Cluster")
            (main,) = describe(each).spec["containers"]
            containers = [{"name": "server", "resources": main["resources"]}]
            containers += [{key: one[key] for key in ("name", "resources")} for one in spec.get("containers", ())]
            for index in range(number):
                yield pod(project, f"{kind.lower()}-{index}", containers)


def used(project: Project) -> dict[str, str]:
    """Figures that the quota has counted."""
    (quota,) = project.objects("resourcequotas", NAMESPACE)
    found: dict[str, str] = quota["status"]["used"]
    return found


def exceeded(project: Project) -> list[str]:
    """Events that say that the quota has refused something."""
    return [each["message"] for each in project.objects("events", NAMESPACE) if EXCEEDED in each.get("message", "")]


@pytest.fixture(scope="module")
def beta(project: Project) -> Project:
    """Beta with a quota, with room on the nodes, and each service at its maximum."""
    platform = yaml.safe_load(project.stack_file("beta").read_text())["config"][PLATFORM_KEY]
    for name, service in platform["services"].items():
        assert service["autoscaling"]["maxReplicas"] == MAXIMA[name]
        service["autoscaling"]["minReplicas"] = MAXIMA[name]
    change(
        project,
        "beta",
        {"quota": {}, "services": platform["services"], "ingress": platform["ingress"] | {"api": "ingress"}},
    )
    started = project.run(sys.executable, "-m", "cluster", "start")
    assert started.code == 0, started.text
    assert apply(project, *map(node, range(MORE_NODES))) == ""
    done = project.altlas("up", "--stack", "beta")
    assert done.code == 0, done.text
    return project


def test_all_of_beta_at_its_maximum_is_admitted(beta: Project) -> None:
    """And the pods that its operators would make, with a database server more, and each CronJob by hand."""
    assert apply(beta, *of_operators(beta)) == ""
    jobs = [each["metadata"]["name"] for each in beta.objects("cronjobs", NAMESPACE)]
    for name in jobs:
        done = beta.kubectl("create", "job", "--namespace", NAMESPACE, f"--from=cronjob/{name}", f"{name}-now")
        assert done.code == 0, done.text
    assert len(jobs) == 6
    wait_until(lambda: len(beta.objects("jobs", NAMESPACE)) >= 6, "the Jobs are there")
    assert exceeded(beta) == []
    # 102 at most, of which the Job of the streams and those of backups have ended or run, and a server more.
    assert 102 - 7 + 1 <= int(used(beta)["pods"]) <= 102 + 6 + 1


def test_a_rollout_of_everything_at_the_maximum_is_admitted(beta: Project) -> None:
    """Each pod is replaced, in no more than one update."""
    before = {each["metadata"]["uid"] for each in beta.objects("pods", NAMESPACE)}
    (quota,) = beta.objects("resourcequotas", NAMESPACE)
    text = beta.stack_file("beta").read_text()
    document = yaml.safe_load(text)
    for service in document["config"][PLATFORM_KEY]["services"].values():
        service["scratchSize"] = "257Mi"
    beta.stack_file("beta").write_text(yaml.safe_dump(document))
    done = beta.altlas("up", "--stack", "beta")
    assert done.code == 0, done.text
    assert exceeded(beta) == []
    after = [
        each
        for each in beta.objects("pods", NAMESPACE)
        if each["metadata"]["labels"].get("app.kubernetes.io/name") in MAXIMA
    ]
    assert len(after) == sum(MAXIMA.values())
    assert not {each["metadata"]["uid"] for each in after} & before
    (same,) = beta.objects("resourcequotas", NAMESPACE)
    assert same["spec"] == quota["spec"]


def test_a_pod_beyond_the_quota_is_refused(beta: Project) -> None:
    """One millicore more than is left; exactly what is left is admitted."""
    (quota,) = beta.objects("resourcequotas", NAMESPACE)
    key, limits = "requests.cpu", {"cpu": "2", "memory": "1Mi"}
    left = millicores(quota["spec"]["hard"][key]) - millicores(quota["status"]["used"][key])

    def of(total: int) -> dict[str, Any]:
        sizes = [2000] * (total // 2000) + [total % 2000]
        containers = [
            {"name": f"part-{index}", "resources": {"requests": {"cpu": f"{size}m", "memory": "1Mi"}, "limits": limits}}
            for index, size in enumerate(sizes)
            if size
        ]
        return pod(beta, "too-much", containers)

    refusal = apply(beta, of(left + 1))
    assert EXCEEDED in refusal
    assert key in refusal
    assert apply(beta, of(left)) == ""
    assert beta.kubectl("delete", "pod", "--namespace", NAMESPACE, "too-much", "--now").code == 0


def test_a_container_without_resources_gets_the_defaults_and_none_may_have_more_than_the_largest(beta: Project) -> None:
    """As the container that the Barman plugin puts into a database server; a large one is refused by the LimitRange."""
    assert apply(beta, pod(beta, "unnamed", [{"name": "unnamed"}])) == ""
    (found,) = (each for each in beta.objects("pods", NAMESPACE) if each["metadata"]["name"] == "unnamed")
    assert found["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"cpu": "500m", "memory": "512Mi"},
    }
    large = {"cpu": "2101m", "memory": "1Gi"}
    refusal = apply(beta, pod(beta, "large", [{"name": "large", "resources": {"requests": large, "limits": large}}]))
    assert "maximum cpu usage per Container is 2100m" in refusal


def test_a_service_of_a_node_s_port_is_refused(beta: Project) -> None:
    """The stack is reached through the ingress controller alone; a Service inside the cluster is admitted."""

    def service(kind: str) -> dict[str, Any]:
        metadata = {"name": f"made-{kind.lower()}", "namespace": NAMESPACE}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"type": kind, "ports": [{"port": 80}]},
        }

    assert "services.nodeports" in apply(beta, service("NodePort"))
    assert "services.loadbalancers" in apply(beta, service("LoadBalancer"))
    assert apply(beta, service("ClusterIP")) == ""


def test_a_look_for_drift_finds_neither_quota_nor_limit_range(beta: Project) -> None:
    """The API server keeps their quantities as the program writes them; a change of one is found."""

    def drifted() -> str:
        return beta.altlas("drift", "beta").out

    assert "ResourceQuota" not in (before := drifted()), before
    assert "LimitRange" not in before
    patch = '{"spec": {"hard": {"pods": "500"}}}'
    assert beta.kubectl("patch", "resourcequota", "platform", "--namespace", NAMESPACE, "--patch", patch).code == 0
    assert "ResourceQuota" in drifted()
