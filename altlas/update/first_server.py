"""Restart of NATS' first server where several servers take the place of one.

A StatefulSet replaces pods from the last to the first, each when those after it are ready. Servers of a new cluster are
ready when they have a leader, and nats-server (2.15.1) elects the first leader of a cluster by the votes of all its
servers. So the others would wait for the first, which still runs alone, and the StatefulSet for the others.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from altlas.session.console import Report
from altlas.session.kubectl import Kubectl
from components.traffic.stores import NATS
from rendering.errors import CommandError

_POLL_SECONDS = 2.0
_FIRST = f"{NATS}-0"
_REVISION = "controller-revision-hash"


@contextmanager
def restarted_for_the_others(kubectl: Kubectl, namespace: str, report: Report) -> Iterator[None]:
    """Delete the pod of the first server, once all others run with the new settings; watch until the end of the block.

    Args:
        kubectl: The cluster.
        namespace: Where NATS runs.
        report: Prints what is done.
    """
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(kubectl, namespace, report, ended), daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


def is_waited_for(stateful_set: Mapping[str, Any], pods: Iterable[Mapping[str, Any]]) -> bool:
    """True if the first server has old settings and every other one of the StatefulSet runs with the new ones."""
    newest, wanted = stateful_set.get("status", {}).get("updateRevision"), stateful_set["spec"]["replicas"]
    by_name = {pod["metadata"]["name"]: pod for pod in pods if "deletionTimestamp" not in pod["metadata"]}
    first = by_name.pop(_FIRST, None)
    others = [by_name.get(f"{NATS}-{index}") for index in range(1, wanted)]
    return (
        bool(others and newest and first)
        and _revision(first) != newest
        and all(pod and _revision(pod) == newest and pod["status"].get("phase") == "Running" for pod in others)
    )


def _revision(pod: Mapping[str, Any] | None) -> str:
    return str(pod["metadata"]["labels"].get(_REVISION)) if pod else ""


def _watch(kubectl: Kubectl, namespace: str, report: Report, ended: threading.Event) -> None:
    while not ended.wait(_POLL_SECONDS):
        try:
            stateful_set = kubectl.find("statefulset", namespace, NATS)
            pods = kubectl.items("pods", namespace, f"--selector=app.kubernetes.io/name={NATS}")
            if stateful_set and is_waited_for(stateful_set, pods):
                kubectl.text("delete", "pod", _FIRST, f"--namespace={namespace}", "--wait=false")
                report(f"Restarted {_FIRST}: the other servers of NATS elect no leader without it.")
                return
        except CommandError:
            continue  # The cluster does not answer for a moment; the update itself says so where it goes on.
