"""Redis, NATS and Loki on a real API server: up, from one phase to the other and back, no data object touched."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cluster.waiting import wait_for
from tests.e2e.conftest import Project
from tests.e2e.data_objects import change
from tests.support.deployed import project_with

pytestmark = pytest.mark.e2e

NAMESPACE = "alt-las"


project = project_with("alpha")


def by_name(project: Project, kind: str) -> dict[str, dict[str, Any]]:
    """Objects of a kind by name."""
    return {each["metadata"]["name"]: each for each in project.objects(kind, NAMESPACE)}


def ready(project: Project) -> dict[str, int]:
    """Ready servers of each StatefulSet."""
    sets = by_name(project, "statefulsets")
    return {name: each["status"].get("readyReplicas", 0) for name, each in sets.items()}


def claims(project: Project) -> dict[str, tuple[str, str]]:
    """Phase and identity of every volume claim of the two stores and of the logs."""
    found = by_name(project, "persistentvolumeclaims")
    return {
        name: (each["status"]["phase"], each["metadata"]["uid"])
        for name, each in found.items()
        if name.startswith(("data-redis-", "data-nats-", "data-loki-"))
    }


def retention(project: Project) -> str:
    """Retention in the running Loki's configuration."""
    loki = by_name(project, "statefulsets")["loki"]
    volumes = loki["spec"]["template"]["spec"]["volumes"]
    (name,) = (each["configMap"]["name"] for each in volumes if "configMap" in each)
    limits = json.loads(by_name(project, "configmaps")[name]["data"]["config.yaml"])["limits_config"]
    return str(limits["retention_period"])


def test_alpha_runs_one_server_of_each_on_a_bound_volume(project: Project) -> None:
    """Admitted under the restricted Pod Security Standard, with the streams made by a Job that has ended."""
    assert ready(project) == {"loki": 1, "nats": 1, "redis": 1}
    assert {name: phase for name, (phase, _) in claims(project).items()} == {
        "data-loki-0": "Bound",
        "data-nats-0": "Bound",
        "data-redis-0": "Bound",
    }
    (job,) = (each for each in project.objects("jobs", NAMESPACE) if "nats-streams" in each["metadata"]["name"])
    assert job["status"]["succeeded"] == 1
    for stateful_set in by_name(project, "statefulsets").values():
        policy = stateful_set["spec"]["persistentVolumeClaimRetentionPolicy"]
        assert policy == {"whenDeleted": "Retain", "whenScaled": "Retain"}


def test_the_state_protects_what_holds_data(project: Project) -> None:
    """Neither `pulumi destroy` nor a replacement can take a StatefulSet."""
    state = json.loads(project.pulumi("stack", "export", "--stack", "alpha").out)
    sets = [each for each in state["deployment"]["resources"] if each["type"] == "kubernetes:apps/v1:StatefulSet"]
    assert sorted(each["urn"].rpartition("::")[2] for each in sets) == ["loki", "nats", "redis"]
    assert all(each["protect"] and each["retainOnDelete"] for each in sets)


def test_one_server_becomes_three_and_one_again_on_the_same_objects(project: Project) -> None:
    """Every step is rolled out ready; no StatefulSet and no volume is replaced or deleted, while logs stay longer."""
    sets = {name: each["metadata"]["uid"] for name, each in by_name(project, "statefulsets").items()}
    before, original = claims(project), project.stack_file("alpha").read_text()

    assert project.altlas("stack", "transition", "alpha", "beta", "--write").code == 0
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 0, done.text
    assert ready(project) == {"loki": 1, "nats": 3, "redis": 3}
    assert retention(project) == "336h"
    three = claims(project)
    assert len(three) == 7
    assert {phase for phase, _ in three.values()} == {"Bound"}
    assert before.items() <= three.items()
    nodes: dict[str, set[str]] = {}
    for pod in project.objects("pods", NAMESPACE):
        nodes.setdefault(pod["metadata"]["labels"]["app.kubernetes.io/name"], set()).add(pod["spec"]["nodeName"])
    assert len(nodes["redis"]) == len(nodes["nats"]) == 3, "no two voters on one node"

    project.stack_file("alpha").write_text(original)
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 0, done.text
    assert ready(project) == {"loki": 1, "nats": 1, "redis": 1}
    assert {name: each["metadata"]["uid"] for name, each in by_name(project, "statefulsets").items()} == sets
    assert retention(project) == "168h"
    assert claims(project) == three, "the volumes of the servers that are gone stay"
    assert project.pulumi("preview", "--stack", "alpha", "--expect-no-changes").code == 0


def streams_jobs(project: Project) -> dict[str, dict[str, Any]]:
    """Jobs that make the streams, by name."""
    return {name: each for name, each in by_name(project, "jobs").items() if name.startswith("nats-streams-")}


def test_a_job_that_failed_is_made_again_by_the_next_update(project: Project) -> None:
    """With the same settings, once its cause is gone: no node took its pod before its deadline.

    Nothing else changes that needs a new pod: dashboards show the size of a stream, but not its age.
    """
    nodes = [each["metadata"]["name"] for each in project.objects("nodes", NAMESPACE)]
    known = streams_jobs(project).keys()
    original = change(project, "maxBytes: 1Gi", "maxBytes: 1Gi, maxAgeSeconds: 604000")
    for node in nodes:
        assert project.kubectl("cordon", node).code == 0
    try:
        with ThreadPoolExecutor(1) as pool:
            failing = pool.submit(project.altlas, "up", "--stack", "alpha")
            (job,) = wait_for(lambda: streams_jobs(project).keys() - known, bool, seconds=120, poll_seconds=0.5)
            deadline = '{"spec": {"activeDeadlineSeconds": 1}}'
            assert project.kubectl("patch", "job", job, f"--namespace={NAMESPACE}", "--patch", deadline).code == 0
            done = failing.result()
    finally:
        for node in nodes:
            project.kubectl("uncordon", node)
    assert done.code == 1, done.text
    before = streams_jobs(project)[job]
    assert {each["type"] for each in before["status"]["conditions"]} >= {"Failed"}
    done = project.altlas("up", "--stack", "alpha")
    assert done.code == 0, done.text
    after = streams_jobs(project)[job]
    assert after["status"]["succeeded"] == 1
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    project.stack_file("alpha").write_text(original)
