"""A cluster of real nodes for tests, and what tests ask of it."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools
from cluster.errors import ClusterError
from cluster.node.images import IMAGES, chosen, push
from cluster.node.node_cluster import PROGRAMS, NodeCluster
from cluster.node.packages import node_packages
from cluster.node.requirements import check
from cluster.waiting import wait_for

BUSYBOX = "docker.io/library/busybox:1.35.0"
NAMESPACE = "trial"
_SECONDS = 120


@dataclass(frozen=True)
class RealCluster:
    """A running cluster.

    Attributes:
        cluster: What starts and ends it.
        folder: Its folder.
        kubectl: The pinned program.
        started_in: Seconds that its start took.
    """

    cluster: NodeCluster
    folder: Path
    kubectl: Path
    started_in: float

    @property
    def network(self) -> dict[str, int]:
        """Number and count of the nodes, as the cluster keeps them."""
        found: dict[str, int] = json.loads((self.folder / "network.json").read_text())
        return found

    def try_run(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl in the namespace of the tests."""
        options = (f"--kubeconfig={self.cluster.kubeconfig}", f"--cache-dir={self.folder}/kubectl")
        command = [str(self.kubectl), *options, f"--namespace={NAMESPACE}", *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=_SECONDS)

    def run(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl and return what it prints; it must not fail."""
        done = self.try_run(*arguments, text=text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return an object or a list."""
        found: dict[str, Any] = json.loads(self.run("get", *arguments, "--output=json"))
        return found

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Apply manifests."""
        self.run("apply", "--server-side", "--filename=-", text=yaml.safe_dump_all(manifests))

    def pods(self, app: str) -> dict[str, dict[str, Any]]:
        """Return pods that are not ending, by the node that they run on."""
        items = self.get("pods", f"--selector=app={app}")["items"]
        return {item["spec"].get("nodeName", ""): item for item in items if "deletionTimestamp" not in item["metadata"]}

    def shell(self, pod: str, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script in a pod."""
        return self.try_run("exec", pod, "--", "sh", "-c", script)


def wait_until(condition: Callable[[], object], seconds: float = 60) -> float:
    """Wait until something is the case; return after how many seconds it was."""
    start = time.monotonic()
    assert wait_for(condition, bool, seconds=seconds, poll_seconds=0.2), f"not within {seconds} s"
    return time.monotonic() - start


def pod_spec(script: str, **container: Any) -> dict[str, Any]:
    """Return a pod's specification that the restricted profile admits: a shell script in busybox."""
    secure = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
    resources = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}}
    main = {"name": "main", "image": BUSYBOX, "command": ["sh", "-c", script], "securityContext": secure}
    return {
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": [
            {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
            for key in ("unreachable", "not-ready")
        ],
        "containers": [{**main, "resources": resources, **container}],
    }


def workload(kind: str, app: str, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a Deployment, DaemonSet or StatefulSet of pods with the label `app`."""
    template = {"metadata": {"labels": {"app": app}}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": app, "namespace": NAMESPACE},
        "spec": {"selector": {"matchLabels": {"app": app}}, "template": template, **more},
    }


@contextmanager
def real_cluster(folder: Path, nodes: int) -> Iterator[RealCluster]:
    """A cluster until the end of the block; nothing of it stays. Skips, with the reason, where there can be none."""
    try:
        packages = node_packages()
        check(folder, packages.environment(folder, {}))
        toolbox = tools.ensure(PROGRAMS)
    except (ClusterError, tools.ToolsError) as error:
        pytest.skip(f"not proven here: real nodes: {error}")
    cluster = NodeCluster(folder, {name: Path(toolbox.path(name)) for name in PROGRAMS}, print, nodes)
    start = time.monotonic()
    try:
        cluster.up()
        made = RealCluster(cluster, folder, Path(toolbox.path("kubectl")), time.monotonic() - start)
        number = made.network["number"]
        list(push(f"10.{180 + number}.0.1:5000", chosen(IMAGES, ["busybox"])))
        secure = {"pod-security.kubernetes.io/enforce": "restricted"}
        made.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": secure}})
        yield made
    finally:
        cluster.delete()
