"""Usage of simulated pods under a load, as their kubelets would report it, and a real metrics-server that reads it.

Owns the load, its spread over the ready pods and the answers of the kubelets. Does not own what autoscalers make of it.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

import tools
from cluster.ports import choose_free_port
from components.kubernetes.quantities import mebibytes, millicores
from tests.e2e.conftest import Project
from tests.motion.recording import Manifest, Recording
from tests.support.http_server import QuietHandler, http_server
from tests.support.loopback import Process, wait_until
from tests.support.running import stays_ready

_NAME = "app.kubernetes.io/name"
_IDLE = 0.05
"""Share of its request that a pod without load uses, of CPU."""

MEMORY_SHARE = 0.4
"""Share of its request that a pod uses of memory, whatever the load."""

_PATH = "metrics.k8s.io/resource-metrics-path"
_POLL_SECONDS = 1
_RESOLUTION_SECONDS = 10
"""Shortest interval that metrics-server 0.9 accepts with a request timeout of 5 s."""


@dataclass
class Load:
    """Work that services have to do, and the processor time that their pods have used for it.

    Attributes:
        recording: Pods as they are.
        millicores: Load of each service, spread over its ready pods; a pod uses at most its limit.
        history: Millicores that the pods of each service used, from each second of the machine's clock on.
    """

    recording: Recording
    millicores: dict[str, float] = field(default_factory=dict)
    history: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    _used: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, load: Mapping[str, float]) -> None:
        """Change the load of some services."""
        with self._lock:
            self._advance()
            self.millicores |= load

    def metrics(self, node: str) -> str:
        """Answer of a node's kubelet, in Prometheus' format."""
        with self._lock:
            self._advance()
            lines = ["node_cpu_usage_seconds_total 1000", f"node_memory_working_set_bytes {2**30}"]
            for pod in self.recording.pods():
                if pod["spec"].get("nodeName") == node and "startTime" in pod.get("status", {}):
                    lines += self._of(pod)
            return "".join(f"{line}\n" for line in lines)

    def _of(self, pod: Manifest) -> Iterator[str]:
        metadata, containers = pod["metadata"], pod["spec"]["containers"]
        for number, container in enumerate(containers):
            labels = f'{{container="{container["name"]}",namespace="{metadata["namespace"]}",pod="{metadata["name"]}"}}'
            # The work is done in the first container; metrics-server drops pods of which one reports nothing.
            used = self._used.get(metadata["uid"], 0) if number == 0 else 0
            memory = mebibytes(container["resources"]["requests"]["memory"]) * 2**20 * MEMORY_SHARE
            yield f"container_cpu_usage_seconds_total{labels} {1 + used:.6f}"
            yield f"container_memory_working_set_bytes{labels} {memory:.0f}"
            yield f"container_start_time_seconds{labels} {_STARTED:.0f}"

    def _advance(self) -> None:
        now = time.monotonic()
        passed, self._since = now - self._since, now
        pods: dict[str, list[Manifest]] = {}
        for pod in self.recording.pods():
            if stays_ready(pod):
                pods.setdefault(pod["metadata"]["labels"].get(_NAME, ""), []).append(pod)
        for name, ready in pods.items():
            total = 0.0
            for pod in ready:
                resources = pod["spec"]["containers"][0]["resources"]
                idle = millicores(resources["requests"]["cpu"]) * _IDLE
                limit = millicores(resources["limits"]["cpu"])
                each = min(idle + self.millicores.get(name, 0) / len(ready), limit)
                uid = pod["metadata"]["uid"]
                self._used[uid] = self._used.get(uid, 0) + passed * each / 1000
                total += each
            self._note(name, now, round(total))

    def _note(self, name: str, now: float, used: int) -> None:
        steps = self.history.setdefault(name, [])
        if not steps or steps[-1][1] != used:
            steps.append((now, used))


_STARTED = time.time()


@contextmanager
def usage(project: Project, folder: Path, recording: Recording) -> Iterator[Load]:
    """Kubelets that report usage and a metrics-server, until the block ends.

    Args:
        project: Project with a running cluster; each of its nodes is given the path of its own answers.
        folder: Empty folder for metrics-server.
        recording: Pods whose usage is reported.
    """
    load = Load(recording)
    with http_server(_kubelet(load)) as port, _named_kubelets(project, recording):
        server = Process(_command(project, folder, port, secure := choose_free_port(())), folder, "metrics-server")
        server.start()
        try:
            _serve_metrics(project, folder, secure)
            _wait_for_metrics(project, server)
            yield load
        finally:
            server.kill()


@contextmanager
def _named_kubelets(project: Project, recording: Recording) -> Iterator[None]:
    """Say where metrics-server finds the usage of the pods of each node, also of those to come."""
    ended = threading.Event()

    def annotate() -> None:
        while not ended.wait(_POLL_SECONDS):
            for metadata in (each["metadata"] for each in recording.nodes()):
                if _PATH not in metadata.get("annotations", {}):
                    # A node that is gone by now needs none.
                    project.kubectl("annotate", "node", metadata["name"], f"{_PATH}=/{metadata['name']}")

    thread = threading.Thread(target=annotate, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _command(project: Project, folder: Path, kubelets: int, port: int) -> tuple[str, ...]:
    kubeconfig = project.variables()["KUBECONFIG"]
    return (
        str(tools.ensure(["metrics-server"]).path("metrics-server")),
        *(f"--{kind}kubeconfig={kubeconfig}" for kind in ("", "authentication-", "authorization-")),
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder}",
        # One server on loopback answers for all kubelets.
        "--deprecated-kubelet-completely-insecure",
        f"--kubelet-port={kubelets}",
        "--kubelet-preferred-address-types=InternalIP",
        "--kubelet-request-timeout=5s",
        f"--metric-resolution={_RESOLUTION_SECONDS}s",
    )


def _serve_metrics(project: Project, folder: Path, port: int) -> None:
    """Register the metrics API: a Service whose name the API server resolves to this machine."""
    metadata = {"name": "metrics-server", "namespace": "kube-system"}
    service = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}
    registered = {
        "group": "metrics.k8s.io",
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
        "service": {**metadata, "port": port},
    }
    manifests = (
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": registered,
        },
    )
    file = folder / "metrics-api.yaml"
    file.write_text(yaml.safe_dump_all(manifests))
    done = project.kubectl("apply", "--filename", str(file))
    assert done.code == 0, done.text


def _wait_for_metrics(project: Project, server: Process) -> None:
    def answered() -> bool:
        return bool(json.loads(project.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/pods").out or "{}"))

    wait_until(answered, f"the metrics API answers: {server.log[-2000:]}", 60)


def _kubelet(load: Load) -> type[QuietHandler]:
    class Kubelet(QuietHandler):
        def do_GET(self) -> None:
            """Usage of the pods of the node that the path names."""
            content = load.metrics(self.path.removeprefix("/")).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(content)

    return Kubelet
