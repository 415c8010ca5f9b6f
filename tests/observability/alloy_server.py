"""A real Alloy with a stack's own configuration and its own account, beside a real API server and a real Loki."""

import http.client
import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.observability.logs import loki as loki_objects
from components.traffic.observers import (
    ALLOY,
    ALLOY_PORT,
    OTLP_GRPC_PORT,
    OTLP_HTTP_PORT,
    PROMETHEUS_PORT,
    PROMETHEUS_SERVICE,
)
from tests.support.loopback import Process, addresses, answers, fresh, wait_until
from tests.support.own_cluster import OwnCluster, own_cluster
from tests.support.programs import objects, program

_SECONDS = 60


@contextmanager
def cluster(folder: Path) -> Iterator[OwnCluster]:
    """A cluster of its own until the end of the block, with Alloy's account and rights."""
    with own_cluster(folder) as found:
        kinds = ("ServiceAccount", "Role", "RoleBinding")
        mine = [each for each in objects("alpha") if each["kind"] in kinds and each["metadata"]["name"] == ALLOY]
        assert len(mine) == len(kinds)
        found.apply(*(each for each in objects("alpha") if each["kind"] == "Namespace"), *mine)
        yield found


def account_of(cluster: OwnCluster, path: Path) -> Path:
    """Kubeconfig that reaches the cluster with a token of Alloy's own account."""
    document = yaml.safe_load(cluster.kubeconfig.read_text())
    (user,) = document["users"]
    user["user"] = {"token": cluster.run("create", "token", ALLOY).strip()}
    path.write_text(yaml.safe_dump(document))
    return path


@dataclass(frozen=True)
class Alloy:
    """A running Alloy.

    Attributes:
        address: Where it answers.
        process: The program.
    """

    address: str
    process: Process

    def metrics(self) -> dict[str, float]:
        """Its own metrics by series."""
        with urllib.request.urlopen(f"http://{self.address}:{ALLOY_PORT}/metrics", timeout=10) as answer:
            lines = [line for line in answer.read().decode().splitlines() if not line.startswith("#")]
        return {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines)}

    def send(self, source: str, signal: str, body: Mapping[str, Any]) -> int:
        """Send logs or metrics by OTLP from an address, as the pod that has it would, and return the status."""
        connection = http.client.HTTPConnection(self.address, OTLP_HTTP_PORT, timeout=10, source_address=(source, 0))
        try:
            connection.request("POST", f"/v1/{signal}", json.dumps(body), {"Content-Type": "application/json"})
            return connection.getresponse().status
        finally:
            connection.close()


def on_loopback(text: str, address: str, loki: str, kubeconfig: Path) -> str:
    """A configuration with addresses of this machine, and a file where a pod has its token; all else stays.

    Raises:
        AssertionError: Something that is to be replaced is not there.
    """
    place = json.dumps(str(kubeconfig))
    client = f"\n  client {{\n    kubeconfig_file = {place}\n  }}\n"
    replaced = {
        f"{loki_objects.URL}/": f"http://{loki}/",
        f"0.0.0.0:{OTLP_GRPC_PORT}": f"{address}:{OTLP_GRPC_PORT}",
        f"0.0.0.0:{OTLP_HTTP_PORT}": f"{address}:{OTLP_HTTP_PORT}",
        f"http://prometheus-prometheus-0.{PROMETHEUS_SERVICE}:{PROMETHEUS_PORT}/": f"http://{address}:{PROMETHEUS_PORT}/",
        'role = "pod"\n': f'role = "pod"\n  kubeconfig_file = {place}\n',
        "[loki.process.pods.receiver]\n": f"[loki.process.pods.receiver]\n{client}",
        'k8sattributes "services" {\n': 'k8sattributes "services" {\n  auth_type = "kubeConfig"\n',
    }
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextmanager
def prometheus(folder: Path, address: str) -> Iterator[str]:
    """A Prometheus that takes what Alloy passes on, as the stack's own does, until the end of the block."""
    own = fresh(folder / "prometheus")
    (own / "prometheus.yml").write_text("{}")
    command = [str(program("prometheus")), f"--config.file={own}/prometheus.yml", "--web.enable-remote-write-receiver"]
    command += [f"--storage.tsdb.path={own}/data", f"--web.listen-address={address}:{PROMETHEUS_PORT}"]
    process = Process(command, own, "prometheus")
    process.start()
    try:
        wait_until(lambda: answers(address, PROMETHEUS_PORT), "Prometheus listens", _SECONDS)
        yield f"http://{address}:{PROMETHEUS_PORT}"
    finally:
        process.stop()


@contextmanager
def running(folder: Path, text: str, loki: str, kubeconfig: Path) -> Iterator[Alloy]:
    """An Alloy until the end of the block, started with the arguments of its pod."""
    own = fresh(folder / "alloy")
    (address,) = addresses(1, (OTLP_HTTP_PORT, OTLP_GRPC_PORT, ALLOY_PORT, PROMETHEUS_PORT))
    file = own / "config.alloy"
    file.write_text(on_loopback(text, address, loki, kubeconfig), encoding="utf-8")
    command = [str(program("alloy")), "run", str(file), f"--server.http.listen-addr={address}:{ALLOY_PORT}"]
    command += [f"--storage.path={own / 'data'}", "--disable-reporting"]
    process = Process(command, own, "alloy", {"KUBECONFIG": str(kubeconfig)})
    process.start()
    try:
        wait_until(lambda: answers(address, OTLP_HTTP_PORT), "Alloy takes OTLP", _SECONDS)
        yield Alloy(address, process)
    finally:
        process.stop()
