"""End of `altlas up`: it waits for all workloads of the stack and for slow pulls, and fails with reasons."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from altlas.session.engine import Engine
from altlas.session.kubectl import Kubectl
from altlas.session.session import Session
from altlas.session.workspace import Workspace
from altlas.update import readiness
from cluster import Target
from components.settings import PlatformSettings
from rendering.errors import CommandError
from tests.support.documents import alpha_settings

HEALTHY = "Cluster in healthy state"
NAME = "app.kubernetes.io/name"


class Answers(Kubectl):
    """A cluster whose answers change from question to question; the last one stays."""

    answers: dict[str, Iterator[list[dict[str, Any]]] | list[dict[str, Any]]] = {}  # set by `session_of`
    last: dict[str, list[dict[str, Any]]] = {}  # set by `session_of`

    def items(self, kind: str, namespace: str, *options: str) -> list[dict[str, Any]]:  # noqa: ARG002  # as in the class
        """Next answer for a kind."""
        found = self.answers.get(kind.partition(".")[0], [])
        if isinstance(found, list):
            return found
        self.last[kind] = next(found, self.last.get(kind, []))
        return self.last[kind]

    def text(self, *arguments: str, stdin: str | None = None) -> str:  # noqa: ARG002  # as in the class
        """No node is simulated."""
        return ""


def settings() -> PlatformSettings:
    """Alpha with PostgreSQL as the only operated store, and little time."""
    changes: dict[str, Any] = dict.fromkeys(("prometheus", "alertmanager", "grafana", "backup", "loki", "alloy"))
    return alpha_settings(changes | {"rollout": {"progressDeadlineSeconds": 5, "timeoutSeconds": 6}})


class Deployed(Engine):
    """An engine whose state has the services, PostgreSQL and what a test adds."""

    more: tuple[tuple[str, str], ...] = ()  # set by `session_of`

    def exported_state(self, stack: str) -> dict[str, Any]:  # noqa: ARG002  # as in the class
        """State with nothing but kinds and names."""
        named = [*(("Deployment", name) for name in settings().services.by_name()), ("Cluster", "postgres-db")]
        inputs = [{"kind": kind, "metadata": {"name": name}} for kind, name in (*named, *self.more)]
        return {"deployment": {"resources": [{"type": "kubernetes:any:Kind", "inputs": each} for each in inputs]}}


def session_of(target: str, answers: dict[str, Any], *more: tuple[str, str]) -> Session:
    """A session on such a cluster, with more workloads in the state than the services and PostgreSQL."""
    kubectl = type("Cluster", (Answers,), {"answers": answers, "last": {}})(Path("kubectl"), Path("kubeconfig"))
    engine = type("Engine", (Deployed,), {"more": more})(Path(), {})
    return Session(Workspace(Path()), Target(target, "a test names it"), kubectl, engine)


def deployments(**stalled: bool) -> list[dict[str, Any]]:
    """All services of alpha at their smallest scale; those named are past their deadline with no pod ready."""
    found = []
    for name, service in settings().services.by_name().items():
        wanted = service.autoscaling.min_replicas if service.autoscaling else 1
        bad = stalled.get(name.replace("-", "_"), False)
        ready = {} if bad else {"readyReplicas": wanted, "updatedReplicas": wanted, "replicas": wanted}
        conditions = [{"type": "Progressing", "status": "False"}] if bad else []
        found.append(workload("Deployment", name, wanted, {"conditions": conditions, **ready}))
    return found


def workload(kind: str, name: str, wanted: int, status: dict[str, Any]) -> dict[str, Any]:
    """A Deployment or StatefulSet as kubectl prints it."""
    template = {"spec": {"containers": [{"image": "i"}]}}
    spec = {"replicas": wanted, "selector": {"matchLabels": {NAME: name}}, "template": template}
    return {"kind": kind, "metadata": {"name": name}, "spec": spec, "status": status}


def cluster(ready: int, phase: str = HEALTHY, reason: str = "", name: str = "postgres-db") -> dict[str, Any]:
    """PostgreSQL as its operator reports it."""
    status = {"readyInstances": ready, "phase": phase, "phaseReason": reason}
    return {"kind": "Cluster", "metadata": {"name": name}, "spec": {"instances": 1}, "status": status}


def database(name: str, of: str = "postgres-db", **status: Any) -> dict[str, Any]:
    """A database as the operator of PostgreSQL reports it."""
    metadata = {"name": name, "generation": 2}
    return {"kind": "Database", "metadata": metadata, "spec": {"cluster": {"name": of}}, "status": status}


def runner(reason: str) -> dict[str, Any]:
    """Pod of runner-service that waits."""
    status = {"containerStatuses": [{"name": "runner", "state": {"waiting": {"reason": reason}}}]}
    return {"metadata": {"name": "runner-1", "labels": {NAME: "runner-service"}}, "spec": {}, "status": status}


PULLING = [
    {
        "involvedObject": {"kind": "Pod", "name": "runner-1"},
        "type": "Normal",
        "reason": "Pulling",
        "message": "Pulling image",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
]
WORKLOADS = "deployments,statefulsets,pods"


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_POLL_SECONDS", 0.01)


def test_up_waits_until_postgres_is_ready_and_healthy() -> None:
    """Not at its first instance while the operator has something left to do."""
    states = [[cluster(0, "Setting up primary")], [cluster(1, "Upgrading cluster")], [cluster(1)]]
    rest = iter(states)
    answers = {WORKLOADS: deployments(), "clusters": rest}
    found = readiness.wait_until_ready(session_of("kubeconfig", answers), "alpha", settings(), print)
    assert [each.ready for each in found if each.kind == "Cluster"] == [1]
    assert list(rest) == []


def test_up_waits_until_every_database_is_made() -> None:
    """The servers are ready some seconds before; databases of another Cluster and of earlier settings do not count."""
    other = database("other", of="restored")
    made = database("archive", applied=True, observedGeneration=2)
    states = [
        [cluster(1), database("archive"), other],
        [cluster(1), database("archive", applied=False, message="no role archive"), other],
        [cluster(1), database("archive", applied=True, observedGeneration=1), other],
        [cluster(1), made, database("segmentation"), other],
        [cluster(1), made, database("segmentation", applied=True), other],
    ]
    rest = iter(states)
    answers = {WORKLOADS: deployments(), "clusters": rest}
    found = readiness.wait_until_ready(session_of("kubeconfig", answers), "alpha", settings(), print)
    assert list(rest) == []
    assert [(each.kind, each.said) for each in found if each.kind != "Deployment"] == [("Cluster", HEALTHY)]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ([cluster(0, "Unable to create cluster", "no quota")], "0 of 1 servers ready; its operator says: Unable to"),
        ([cluster(0, "", "")], "0 of 1 servers ready; its operator says nothing; look whether it runs"),
        (
            [cluster(1), database("archive", applied=False, message="no role archive"), database("runner")],
            "database archive is not made: no role archive; database runner is not made: not tried yet",
        ),
    ],
)
def test_up_fails_with_what_the_operator_says_when_postgres_does_not_come(
    state: list[dict[str, Any]], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, it said success."""
    monkeypatch.setattr(readiness, "wait_for", lambda ask, _, **__: ask())
    answers = {WORKLOADS: deployments(), "clusters": state}
    with pytest.raises(CommandError, match="postgres-db: Cluster has") as caught:
        readiness.wait_until_ready(session_of("kubeconfig", answers), "alpha", settings(), print)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "name", "wanted", "ready"),
    [("StatefulSet", "redis", 1, 0), ("StatefulSet", "nats", 3, 2), ("Deployment", "redis-proxy", 1, 0)],
)
def test_up_waits_for_workloads_that_the_update_did_not_change(kind: str, name: str, wanted: int, ready: int) -> None:
    """Stores as well as services; before, an update without them succeeded."""
    of_update = {"replicas": wanted, "updatedReplicas": wanted}
    late, there = (workload(kind, name, wanted, of_update | {"readyReplicas": number}) for number in (ready, wanted))
    states = [[*deployments(), late], [*deployments(), late], [*deployments(), there]]
    rest = iter(states)
    answers = {WORKLOADS: rest, "clusters": [cluster(1)]}
    found = readiness.wait_until_ready(session_of("kubeconfig", answers, (kind, name)), "alpha", settings(), print)
    assert list(rest) == []
    assert [each.ready for each in found if each.name == name] == [wanted]


def test_up_fails_with_the_names_of_workloads_that_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person deleted them, and the update does not see that."""
    monkeypatch.setattr(readiness, "wait_for", lambda ask, _, **__: ask())
    session = session_of("kubeconfig", {WORKLOADS: deployments(), "clusters": []}, ("StatefulSet", "redis"))
    with pytest.raises(CommandError, match="the update failed, not ready: postgres-db, redis\n") as caught:
        readiness.wait_until_ready(session, "alpha", settings(), print)
    assert "missing: Cluster postgres-db, StatefulSet redis; `pulumi refresh` and then" in str(caught.value)


def test_copies_of_a_restore_are_not_waited_for() -> None:
    """A Cluster that recovers, and a Redis that does not start: neither is of the stack."""
    copy = workload("StatefulSet", "redis-january", 1, {"replicas": 1})
    databases = [cluster(1), cluster(0, "Setting up primary", name="postgres-january")]
    answers = {WORKLOADS: [*deployments(), copy], "clusters": databases}
    found = readiness.wait_until_ready(session_of("kubeconfig", answers), "alpha", settings(), print)
    assert {each.name for each in found} == {*settings().services.by_name(), "postgres-db"}


def test_servers_of_a_simulated_operator_are_not_waited_for() -> None:
    """There are none on sim."""
    answers = {WORKLOADS: deployments(), "clusters": [cluster(0)]}
    found = readiness.wait_until_ready(session_of("sim", answers), "alpha", settings(), print)
    assert [each.operated for each in found if each.kind == "Cluster"] == [False]


def test_a_rollout_past_its_deadline_goes_on_while_a_node_pulls_its_image() -> None:
    """A first installation on a slow line: Kubernetes sees no progress, and there is some."""
    states = [deployments(runner_service=True)] * 3 + [deployments()]
    rest = iter(states)
    answers = {
        WORKLOADS: rest,
        "clusters": [cluster(1)],
        "pods": [runner("ContainerCreating")],
        "events": PULLING,
    }
    readiness.wait_until_ready(session_of("kubeconfig", answers), "alpha", settings(), print)
    assert list(rest) == []


def test_a_rollout_past_its_deadline_is_given_up_at_once_where_nothing_is_pulled() -> None:
    """An image that does not exist does not come by waiting."""
    states = [deployments(runner_service=True)] * 3
    rest = iter(states)
    answers = {WORKLOADS: rest, "pods": [runner("ImagePullBackOff")], "events": PULLING}
    with pytest.raises(CommandError, match="runner-service: pod runner-1 is not ready: ImagePullBackOff"):
        readiness.wait_until_ready(session_of("kubeconfig", answers), "alpha", settings(), print)
    assert len(list(rest)) == 1, "one for the decision, one for the message"
