"""The life of a stack on a real API server: up, transition and back, a bad release, and the end."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rendering.recorder import Recorder
from tests.e2e.conftest import ROOT, Project
from tests.e2e.small_programs import AUTOSCALER, SCALED, small_project
from tests.support.deployed import project_with, template
from tests.support.loopback import wait_until
from tests.support.running import Loss, ready_addresses, watched

pytestmark = pytest.mark.e2e

SERVICES = ["ai-orchestrator", "api-gateway", "archive-service", "runner-service", "segmentation-service"]
OWNED = "deployments,services,serviceaccounts,networkpolicies,poddisruptionbudgets,horizontalpodautoscalers,secrets"


project = project_with("alpha")


def deployments(project: Project, namespace: str) -> dict[str, dict[str, Any]]:
    """Deployments of the services in a namespace, by name."""
    found = {each["metadata"]["name"]: each for each in project.objects("deployments", namespace)}
    return {name: each for name, each in found.items() if name in SERVICES}


def identities(project: Project, namespace: str) -> dict[str, str]:
    """UID of every object that a change of phase must not replace, by kind and name."""
    objects = [
        each
        for each in project.objects(OWNED, namespace)
        # This Secret gets a new name with new content.
        if "pulumi" in json.dumps(each["metadata"]) and not each["metadata"]["name"].startswith("nats-secrets")
    ]
    return {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["uid"] for each in objects}


def ready(project: Project, namespace: str) -> dict[str, int]:
    """Ready pods of each Deployment whose newest release is rolled out completely."""
    return {
        name: each["status"]["readyReplicas"]
        for name, each in deployments(project, namespace).items()
        if each["status"]["updatedReplicas"] == each["status"]["readyReplicas"] == each["spec"]["replicas"]
    }


def way_in(project: Project, namespace: str) -> list[str]:
    """Kind and name of the objects that say what can be reached from outside."""
    kinds = "ingresses,gateways.gateway.networking.k8s.io,httproutes.gateway.networking.k8s.io"
    return sorted(f"{each['kind']}/{each['metadata']['name']}" for each in project.objects(kinds, namespace))


def test_up_ends_with_a_table_of_five_ready_services(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One command from nothing to the whole alpha platform."""
    done = template("alpha", tmp_path_factory).up
    assert done.code == 0, done.text
    rows = [line.split()[:3] for line in done.out.splitlines() if ":1.0.0-alpha" in line]
    assert rows == [[name, "Deployment", "2/2"] for name in SERVICES]
    assert "warning" not in (done.out + done.error).lower(), done.text
    assert "kubectl --kubeconfig" in done.out


def test_the_cluster_runs_five_deployments_in_a_restricted_namespace(project: Project) -> None:
    """Every pod was admitted by the API server under the restricted Pod Security Standard."""
    assert ready(project, "alt-las") == dict.fromkeys(SERVICES, 2)
    labels = json.loads(project.kubectl("get", "namespace", "alt-las", "--output", "json").out)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    zones = {pod["spec"]["nodeName"] for pod in project.objects("pods", "alt-las")}
    assert len(zones) == 3


def test_a_second_preview_has_no_changes_and_no_warning(project: Project, programs: Mapping[str, Recorder]) -> None:
    """The deployed objects are what the program says."""
    done = project.pulumi("preview", "--stack", "alpha", "--expect-no-changes")
    assert done.code == 0, done.text
    assert "warning" not in (done.out + done.error).lower(), done.text
    # All that the program registers, and the stack itself.
    assert f"    {len(programs['alpha'].registrations) + 1} unchanged\n" in done.out


def test_a_running_stack_passes_the_policy_pack(project: Project) -> None:
    """Also with what controllers have filled in since, such as the replicas that autoscalers choose."""
    done = project.pulumi("preview", "--stack", "alpha", "--policy-pack", str(ROOT / "policy" / "pack"))
    assert done.code == 0, done.text
    assert "alt-las@v1.0.0" in done.out
    assert "[mandatory]" not in done.out


def test_an_autoscaler_deployed_by_an_older_api_version_is_updated_and_not_replaced(project: Project) -> None:
    """Its type token holds the version, so without the alias the engine would delete it and make another one."""
    uids = []
    with small_project(project, "autoscaler", AUTOSCALER) as folder:
        for version in ("v1", "v2"):
            options = ("--cwd", str(folder), "--stack", "autoscaler")
            done = project.pulumi("up", *options, "--yes", "--skip-preview", "--config", f"version={version}")
            assert done.code == 0, done.text
            (found,) = project.objects("horizontalpodautoscalers", "default")
            uids.append(found["metadata"]["uid"])
    assert "1 updated" in done.out, done.text
    assert uids[0] == uids[1]


def test_a_fixed_number_of_pods_replaces_that_of_an_autoscaler(project: Project) -> None:
    """An autoscaler owns the number that it has set; without the annotation the API server refuses the update."""
    with small_project(project, "scaled", SCALED) as folder:
        up = ("up", "--cwd", str(folder), "--stack", "scaled", "--yes", "--skip-preview", "--config")
        assert project.pulumi(*up, "replicas=1").code == 0
        as_autoscaler = ("--subresource=scale", "--field-manager=kube-controller-manager", "--type=merge")
        patch = ("patch", "deployment/scaled", "--namespace=default", *as_autoscaler, '--patch={"spec":{"replicas":3}}')
        assert project.kubectl(*patch).code == 0
        assert project.pulumi(*up, "replicas=0").code == 0  # none in the program, as with an autoscaler
        refused = project.pulumi(*up, "replicas=1")
        assert (refused.code != 0, "conflict" in refused.text) == (True, True), refused.text
        done = project.pulumi(*up, "replicas=1", "--config", "forced=true")
        assert done.code == 0, done.text
        (found,) = (each for each in project.objects("deployments", "default") if each["metadata"]["name"] == "scaled")
        assert found["spec"]["replicas"] == 1


def test_beta_runs_beside_alpha_on_the_same_cluster(project: Project) -> None:
    """No object of one stack has the name of an object of the other."""
    done = project.altlas("up", "--stack", "beta")
    assert done.code == 0, done.text
    expected = {"ai-orchestrator": 2, "api-gateway": 3, "archive-service": 2, "runner-service": 3}
    assert ready(project, "alt-las-beta") == expected | {"segmentation-service": 3}
    assert ready(project, "alt-las") == dict.fromkeys(SERVICES, 2)
    host = "beta-api.atlas.example.com"
    gateway = ["Gateway/platform", f"HTTPRoute/platform-{host}", "HTTPRoute/platform-redirect"]
    assert way_in(project, "alt-las-beta") == gateway
    assert way_in(project, "alt-las") == ["Ingress/platform"]


def without_users_of_nats(project: Project) -> dict[str, str]:
    """Identities of alpha's objects but that of the Secret with the users of NATS."""
    found = identities(project, "alt-las")
    assert found.pop("Secret/nats-users")
    return found


def announced_pauses(project: Project, before: str, after: str) -> set[str]:
    """Names of the workloads that do not answer for a time, as `altlas diff` says before the change."""
    restarts = json.loads(project.altlas("diff", before, after, "--json").out)["restarts"]
    return {each["workload"].split()[1] for each in restarts if each["seconds"] != 0}


def test_alpha_takes_the_settings_of_beta_and_goes_back(project: Project, tmp_path: Path) -> None:
    """Every step is rolled out ready; nothing is replaced but what has its content in its name, and NATS' users.

    These cannot publish while the number of NATS servers changes; the provider replaces a Secret whose data changes.
    Less than before and after runs only of what `altlas diff` names as away for a time, and never of a service.
    """
    pauses = announced_pauses(project, "alpha", "beta")
    assert pauses == announced_pauses(project, "beta", "alpha")
    assert not pauses & {*SERVICES, "redis-proxy", "alloy", "grafana"}
    before = without_users_of_nats(project)
    original = project.stack_file("alpha").read_text()
    replica_sets = {each["metadata"]["name"] for each in project.objects("replicasets", "alt-las")}

    assert project.altlas("stack", "transition", "alpha", "beta", "--write").code == 0
    steps = json.loads(project.pulumi("preview", "--stack", "alpha", "--json").out)["steps"]
    urns = [step["urn"] for step in steps if "replace" in step["op"]]
    contents = ("kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret", "kubernetes:batch/v1:Job")
    assert [urn for urn in urns if not urn.rpartition("::")[0].endswith(contents)] == []
    assert {urn.rpartition("::")[2] for urn in urns} >= {
        "segmentation-service-environment",
        "redis-configuration",
        "nats-configuration",
        "nats-secrets",
        "nats-streams",
        "nats-streams-configuration",
    }
    with watched(project, "alt-las", tmp_path) as lost:
        done = project.altlas("up", "--stack", "alpha")
    assert done.code == 0, done.text
    assert [each for each in lost if each.workload not in pauses] == []
    images = [
        each["spec"]["template"]["spec"]["containers"][0]["image"] for each in deployments(project, "alt-las").values()
    ]
    assert images[1:3] == ["frozen68/api-gateway:beta.v9", "frozen68/archive-service:beta"]
    assert set(ready(project, "alt-las")) == set(SERVICES)
    assert before.items() <= without_users_of_nats(project).items()
    gateway = ["Gateway/platform", "HTTPRoute/platform-alt-las.local", "HTTPRoute/platform-redirect"]
    assert way_in(project, "alt-las") == gateway

    project.stack_file("alpha").write_text(original)
    with watched(project, "alt-las", tmp_path) as lost:
        done = project.altlas("up", "--stack", "alpha")
    assert done.code == 0, done.text
    assert [each for each in lost if each.workload not in pauses] == []
    assert "redis" in {each.workload for each in lost}, "the control: the watch sees the pause of a single server"
    assert without_users_of_nats(project) == before
    assert way_in(project, "alt-las") == ["Ingress/platform"]
    serving = {e["metadata"]["name"] for e in project.objects("replicasets", "alt-las") if e["spec"]["replicas"]}
    assert serving == replica_sets, "going back runs the very ReplicaSets from before, not new ones"
    assert project.pulumi("preview", "--stack", "alpha", "--expect-no-changes").code == 0


def test_an_update_that_ends_old_pods_first_is_seen(project: Project, tmp_path: Path) -> None:
    """The control of the watch: two pods that are recreated, whose Deployment and Service are otherwise sound."""
    manifests = tmp_path / "recreated.json"
    manifests.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": recreated()}))
    done = project.kubectl("apply", f"--filename={manifests}")
    assert done.code == 0, done.text
    rollout = ("--namespace=default", "deployment/recreated", "--timeout=60s")
    assert project.kubectl("rollout", "status", *rollout).code == 0
    # Addresses follow the pods, on a busy machine by seconds.
    wait_until(lambda: _addresses_of_recreated(project) == 2, "both pods are addresses of the Service")
    with watched(project, "default", tmp_path) as lost:
        project.kubectl("set", "image", *rollout[:2], "program=program:2")
        assert project.kubectl("rollout", "status", *rollout).code == 0
        wait_until(lambda: _addresses_of_recreated(project) == 2, "both new pods are addresses of the Service")
    project.kubectl("delete", "deployment,service", "recreated", "--namespace=default")
    assert lost == [Loss("pods recreated", 0, 2), Loss("addresses recreated", 0, 2)]


def _addresses_of_recreated(project: Project) -> int:
    found = project.objects("endpointslices", "default")
    slices = [each for each in found if each["metadata"]["labels"].get("kubernetes.io/service-name") == "recreated"]
    return sum(map(ready_addresses, slices))


def recreated() -> list[dict[str, Any]]:
    """A Deployment that ends its old pods before it starts new ones, and its Service."""
    labels = {"app.kubernetes.io/name": "recreated"}
    metadata = {"name": "recreated", "namespace": "default", "labels": labels}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "program", "image": "program:1"}]}}
    selector = {"matchLabels": labels}
    spec = {"replicas": 2, "strategy": {"type": "Recreate"}, "selector": selector, "template": pod}
    service = {"selector": labels, "ports": [{"port": 80}]}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
    ]


def test_a_bad_release_fails_with_pod_reason_and_event_while_the_old_pods_serve(project: Project) -> None:
    """A release whose image cannot be pulled takes nothing away, and a good one after it recovers."""
    stack_file = project.stack_file("alpha")
    original = stack_file.read_text()
    old = {pod["metadata"]["name"] for pod in project.objects("pods", "alt-las") if "runner" in pod["metadata"]["name"]}
    bad = original.replace("runner-service, tag: 1.0.0-alpha", "runner-service, tag: 1.0.1-unpullable")
    stack_file.write_text(
        bad.replace(
            "    autoscaling:\n",
            "    rollout: {progressDeadlineSeconds: 15, timeoutSeconds: 18}\n    autoscaling:\n",
            1,
        )
    )
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 1, done.text
    assert "Traceback" not in done.error
    pods = project.objects("pods", "alt-las")
    serving = {p["metadata"]["name"] for p in pods if p["status"].get("containerStatuses", [{}])[0].get("ready")}
    failed = next(p["metadata"]["name"] for p in pods if "unpullable" in p["spec"]["containers"][0]["image"])
    assert f"runner-service: pod {failed} is not ready: ImagePullBackOff" in done.error
    assert "last event: Failed" in done.error
    assert re.search(r"runner-service: ([23]) of \1 pods still serve", done.error), done.text
    assert old <= serving

    stack_file.write_text(original)
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 0, done.text
    assert set(ready(project, "alt-las")) == set(SERVICES)


def test_destroy_leaves_nothing_of_a_stack_and_all_of_the_other(project: Project) -> None:
    """The command removes what `up` made, and nothing else."""
    done = project.altlas("destroy", "--stack", "alpha", "--with-data", "alpha")
    assert done.code == 0, done.text
    namespaces = project.kubectl("get", "namespaces", "--output", "name").out.split()
    assert "namespace/alt-las" not in namespaces
    assert "namespace/alt-las-beta" in namespaces
    assert len(ready(project, "alt-las-beta")) == 5
    done = project.altlas("destroy", "--stack", "beta", "--with-data", "beta")
    assert done.code == 0, done.text
    # The addons belong to the cluster.
    assert project.kubectl("get", "namespaces", "--output", "name").out.split() == [
        "namespace/cnpg-system",
        "namespace/default",
        "namespace/kube-node-lease",
        "namespace/kube-public",
        "namespace/kube-system",
        "namespace/prometheus-operator",
    ]
    state = json.loads(project.pulumi("stack", "export", "--stack", "alpha").out)
    assert state["deployment"].get("resources", []) == []
