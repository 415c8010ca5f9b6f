"""Reports of a cluster about pods, read through a stand-in for kubectl."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from altlas.session.kubectl import Kubectl, when_answered
from altlas.status.problems import PodProblem, problems
from altlas.status.rollout import WorkloadStatus, workload_statuses
from rendering.errors import CommandError, ExitCode

SCRIPT = """#!/bin/sh
folder=$(dirname "$0")
echo "$@" >> "$folder/calls"
for word in "$@"; do
  if [ -f "$folder/$word.json" ]; then cat "$folder/$word.json"; fi
done
"""
SELECTOR = "--selector=app.kubernetes.io/part-of=alt-las"
LABELS = {"app.kubernetes.io/name": "web", "app.kubernetes.io/part-of": "alt-las"}


class Cluster:
    """A cluster that says what a test puts in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "kubectl"
        program.write_text(SCRIPT)
        program.chmod(0o755)
        self.kubectl = Kubectl(program, folder / "kubeconfig")

    def says(self, kind: str, items: Sequence[dict[str, Any]]) -> None:
        """Answer requests for a kind with these objects."""
        (self.folder / f"{kind}.json").write_text(json.dumps({"items": items}))

    def problem(self, status: dict[str, Any], events: Sequence[dict[str, Any]] = (), **metadata: str) -> str | None:
        """Problem of the only pod, which has this status."""
        self.says("pods", [{"metadata": {"name": "web-1", "labels": LABELS, **metadata}, "status": status}])
        self.says("events", events)
        self.says("deployments", [])
        found = problems(self.kubectl, "alt-las")
        return str(found[0]) if found else None


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """A cluster in a folder."""
    return Cluster(tmp_path)


def deployment(name: str, replicas: int, status: dict[str, Any]) -> dict[str, Any]:
    """A Deployment as kubectl prints it, without what nobody reads."""
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "generation": 2},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "template": {"spec": {"containers": [{"image": f"team/{name}:1"}]}},
        },
        "status": {"observedGeneration": 2} | status,
    }


def pod(name: str, node: str | None) -> dict[str, Any]:
    """A pod of a service, on a node or not placed yet."""
    spec = {"nodeName": node} if node else {}
    return {"kind": "Pod", "metadata": {"labels": {"app.kubernetes.io/name": name}}, "spec": spec}


def event(message: str, when: str, name: str = "web-1", **fields: Any) -> dict[str, Any]:
    """A warning about a pod."""
    metadata = {"creationTimestamp": when}
    return {"involvedObject": {"name": name}, "reason": "Failed", "message": message, "metadata": metadata} | fields


def test_a_status_counts_pods_and_names_the_nodes_of_its_own(cluster: Cluster) -> None:
    """Each node once, and none of another service's pods."""
    objects = [
        deployment("web", 3, {"readyReplicas": 3, "updatedReplicas": 3}),
        deployment("worker", 2, {}),
        *(pod("web", node) for node in ("node-2", "node-1", "node-2", None)),
        pod("worker", "node-9"),
    ]
    cluster.says("deployments,statefulsets,pods", objects)
    web, worker = workload_statuses(cluster.kubectl, "alt-las")
    assert web == WorkloadStatus("web", "team/web:1", ready=3, wanted=3, updated=3, nodes=("node-1", "node-2"))
    assert worker == WorkloadStatus("worker", "team/worker:1", ready=0, wanted=2, updated=0, nodes=("node-9",))
    assert (web.is_ready, worker.is_ready) == (True, False)


@pytest.mark.parametrize(
    ("replicas", "status", "ready"),
    [
        (2, {"readyReplicas": 2, "updatedReplicas": 2}, True),
        (2, {"replicas": 3, "readyReplicas": 3, "updatedReplicas": 3}, True),
        (2, {"replicas": 3, "readyReplicas": 3, "updatedReplicas": 2}, False),
        (2, {"replicas": 4, "readyReplicas": 2, "updatedReplicas": 2}, False),
        (2, {"readyReplicas": 1, "updatedReplicas": 2}, False),
        (2, {"readyReplicas": 2, "updatedReplicas": 1}, False),
        (0, {}, False),
        (2, {"readyReplicas": 2, "updatedReplicas": 2, "observedGeneration": 1}, False),
    ],
)
def test_a_service_is_ready_when_enough_pods_of_its_newest_release_are_and_no_other_is_left(
    cluster: Cluster, replicas: int, status: dict[str, Any], ready: bool
) -> None:
    """Pods of the old release do not count, nor numbers from before the release was seen; no pods is not ready."""
    cluster.says("deployments,statefulsets,pods", [deployment("web", replicas, status)])
    cluster.says("deployments", [])
    (found,) = workload_statuses(cluster.kubectl, "alt-las")
    assert found.is_ready is ready


def test_a_service_without_pods_is_shown_by_those_that_flagger_made(cluster: Cluster) -> None:
    """Between releases these serve; while a release is judged it has pods, and is shown itself."""
    full = {"readyReplicas": 2, "updatedReplicas": 2}
    primary = deployment("web-primary", 2, full)
    primary["spec"]["selector"]["matchLabels"] = {"app.kubernetes.io/name": "web-primary"}
    cluster.says("deployments", [primary])
    cluster.says("deployments,statefulsets,pods", [deployment("web", 0, {}), pod("web-primary", "node-1")])
    (found,) = workload_statuses(cluster.kubectl, "alt-las")
    assert (found.name, found.image, found.ready, found.is_ready) == ("web", "team/web-primary:1", 2, True)
    assert found.nodes == ("node-1",)
    cluster.says("deployments,statefulsets,pods", [deployment("web", 1, {"readyReplicas": 1, "updatedReplicas": 1})])
    (found,) = workload_statuses(cluster.kubectl, "alt-las")
    assert found.image == "team/web:1"
    cluster.says("deployments", [])
    cluster.says("deployments,statefulsets,pods", [deployment("web", 0, {})])
    (found,) = workload_statuses(cluster.kubectl, "alt-las")
    assert not found.is_ready, "nobody serves"


@pytest.mark.parametrize(("status", "stalled"), [("False", True), ("True", False)])
def test_a_rollout_that_kubernetes_gave_up_is_stalled(cluster: Cluster, status: str, stalled: bool) -> None:
    """After its deadline without progress."""
    conditions = [{"type": "Available", "status": "False"}, {"type": "Progressing", "status": status}]
    cluster.says("deployments,statefulsets,pods", [deployment("web", 1, {"conditions": conditions})])
    (found,) = workload_statuses(cluster.kubectl, "alt-las")
    assert found.stalled is stalled


def test_only_the_platform_s_objects_are_asked_for(cluster: Cluster) -> None:
    """In its namespace, of the given cluster, and never for ever."""
    cluster.says("deployments,statefulsets,pods", [])
    assert workload_statuses(cluster.kubectl, "alt-las-beta") == ()
    (call,) = (cluster.folder / "calls").read_text().splitlines()
    options = f"--kubeconfig={cluster.folder}/kubeconfig --request-timeout=10s --output=json --namespace alt-las-beta"
    assert set(call.split()) == {*options.split(), "get", "deployments,statefulsets,pods", SELECTOR}


def test_a_ready_pod_and_one_that_is_ending_are_no_problems(cluster: Cluster) -> None:
    """An ending pod is not expected to be ready."""
    assert cluster.problem({"conditions": [{"type": "Ready", "status": "True"}]}) is None
    assert cluster.problem({"phase": "Running"}, deletionTimestamp="2026-01-01T00:00:00Z") is None
    assert cluster.problem({"conditions": [{"type": "Ready", "status": "False"}]}) is not None


def test_the_newest_warning_about_the_pod_is_told(cluster: Cluster) -> None:
    """By when it was last seen; where that is not known, by when it was made. Other pods' warnings do not count."""
    events = [
        event("old", "2026-01-01T00:00:00Z", lastTimestamp=None),
        event("seen again", "2026-01-01T00:00:00Z", lastTimestamp="2026-01-03T00:00:00Z"),
        event("made later", "2026-01-02T00:00:00Z"),
        event("of another", "2026-01-09T00:00:00Z", name="web-2"),
    ]
    told = cluster.problem({"phase": "Pending"}, events)
    assert told == "web: pod web-1 is not ready: phase Pending, not ready yet; last event: Failed: seen again"


def test_a_problem_is_a_sentence_with_service_pod_reason_and_event() -> None:
    """As it stands below `the update failed`."""
    problem = PodProblem("web", "web-1", "OOMKilled", "BackOff: restarting")
    assert str(problem) == "web: pod web-1 is not ready: OOMKilled; last event: BackOff: restarting"


def test_a_cluster_that_does_not_answer_is_named_with_its_words(cluster: Cluster) -> None:
    """Exit code 4 asks to look after the cluster."""
    (cluster.folder / "kubectl").write_text("#!/bin/sh\necho 'connection refused' >&2\nexit 1\n")
    with pytest.raises(CommandError, match=r"^cannot read events.*: connection refused$") as caught:
        problems(cluster.kubectl, "alt-las")
    assert caught.value.code == ExitCode.NO_CLUSTER


@pytest.mark.parametrize(
    ("target", "cure"),
    [
        ("sim", "`altlas up STACK --target sim` starts it"),
        ("kubeconfig", "start the cluster of FILE, or name another file by KUBECONFIG"),
    ],
)
def test_a_cluster_that_does_not_run_is_told_once_with_what_to_do(tmp_path: Path, target: str, cure: str) -> None:
    """The API client repeats its message for each kind in the request, and logs it each time."""
    said = "The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?"
    log = 'E1128 12:00:00.{} 7 memcache.go:265] "Unhandled Error" err="connection refused"'
    lines = [log.format(100001), said, log.format(100002), said]
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\n" + "".join(f"echo '{line}' >&2\n" for line in lines) + "exit 1\n")
    program.chmod(0o755)
    kubectl = Kubectl(program, tmp_path / "kubeconfig", target=target)
    for ask in (lambda: kubectl.items("pods", "alt-las"), lambda: kubectl.text("get", "pods")):
        with pytest.raises(CommandError) as caught:
            ask()
        assert str(caught.value).count(said) == 1
        assert "memcache.go" not in str(caught.value)
        assert str(caught.value).endswith(cure.replace("FILE", str(kubectl.kubeconfig)))
        assert caught.value.code == ExitCode.NO_CLUSTER


def test_a_cluster_that_was_never_started_is_told_with_the_command_that_starts_it(tmp_path: Path) -> None:
    """Every command that reads comes here before the first `altlas up`; a log line alone is kept."""
    program = tmp_path / "kubectl"
    program.write_text(f"#!/bin/sh\necho 'error: stat {tmp_path}/kubeconfig: no such file or directory' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(CommandError) as caught:
        Kubectl(program, tmp_path / "kubeconfig", target="node").items("pods", "alt-las")
    assert str(caught.value) == (
        "cannot read pods in alt-las: no such cluster has been started in this checkout, as there is no "
        f"{tmp_path}/kubeconfig; `altlas up STACK --target node` starts it"
    )


def test_a_cluster_that_is_away_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rollout that is waited for goes on there."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    answers = iter([CommandError("the connection was refused"), CommandError("(ServiceUnavailable)"), None])
    assert when_answered(lambda: next_of(answers)) == "answer"


@pytest.mark.parametrize("word", ["Forbidden", "Unauthorized", "NotFound"])
def test_a_refusal_is_not_asked_again(word: str) -> None:
    """Waiting does not help."""
    answers = iter([CommandError(f"Error from server ({word}): no"), None])
    with pytest.raises(CommandError, match=word):
        when_answered(lambda: next_of(answers))


def next_of(answers: Iterator[CommandError | None]) -> str:
    """Raise the next error, or answer where there is none."""
    error = next(answers)
    if error:
        raise error
    return "answer"
