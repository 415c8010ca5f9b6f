"""NATS from one server to three: the first one is restarted when the others run, once and not before."""

import threading
from typing import Any

import pytest

from altlas.session.kubectl import Kubectl
from altlas.update import first_server
from altlas.update.first_server import is_waited_for, restarted_for_the_others
from rendering.errors import CommandError

OLD, NEW = "nats-old", "nats-new"


def pod(index: int, revision: str, phase: str = "Running", **metadata: str) -> dict[str, Any]:
    """A server of NATS."""
    labels = {"controller-revision-hash": revision}
    return {"metadata": {"name": f"nats-{index}", "labels": labels, **metadata}, "status": {"phase": phase}}


def servers(count: int) -> dict[str, Any]:
    """The StatefulSet."""
    return {"spec": {"replicas": count}, "status": {"updateRevision": NEW}}


OTHERS = [pod(1, NEW), pod(2, NEW)]


@pytest.mark.parametrize(
    ("count", "pods", "waited"),
    [
        (3, [pod(0, OLD), *OTHERS], True),
        (3, [pod(0, NEW), *OTHERS], False),
        (3, [pod(0, OLD), pod(1, NEW)], False),
        (3, [pod(0, OLD), pod(1, NEW), pod(2, NEW, "Pending")], False),
        (3, [pod(0, OLD), pod(1, OLD), pod(2, NEW)], False),
        (3, [pod(0, OLD, deletionTimestamp="now"), *OTHERS], False),
        (3, OTHERS, False),
        (1, [pod(0, OLD)], False),
    ],
    ids=["all run", "is new", "one is missing", "one is pending", "one is old", "ends already", "is gone", "alone"],
)
def test_the_first_server_is_restarted_only_when_all_others_run(
    count: int, pods: list[dict[str, Any]], waited: bool
) -> None:
    """Until then it serves alone, as before the update."""
    assert is_waited_for(servers(count), pods) is waited


def test_it_is_deleted_once_and_an_answer_that_is_missing_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch ends with its deletion, or with the update."""
    monkeypatch.setattr(first_server, "_POLL_SECONDS", 0.001)
    deleted, said = threading.Event(), list[str]()

    class Cluster(Kubectl):
        """A cluster that does not answer at first."""

        asked = 0

        def find(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
            type(self).asked += 1
            if self.asked == 1:
                raise CommandError("no answer")
            assert (kind, namespace, name) == ("statefulset", "place", "nats")
            return servers(3)

        def items(self, kind: str, namespace: str, *options: str) -> list[dict[str, Any]]:
            assert (kind, namespace, options) == ("pods", "place", ("--selector=app.kubernetes.io/name=nats",))
            return [pod(0, OLD), *OTHERS]

        def text(self, *arguments: str, stdin: str | None = None) -> str:
            assert (arguments, stdin) == (("delete", "pod", "nats-0", "--namespace=place", "--wait=false"), None)
            deleted.set()
            return ""

    kubectl = object.__new__(Cluster)
    with restarted_for_the_others(kubectl, "place", said.append):
        assert deleted.wait(10)
    assert Cluster.asked == 2
    assert said == ["Restarted nats-0: the other servers of NATS elect no leader without it."]
