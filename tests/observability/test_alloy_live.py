"""Alloy running: what pods print and what services send arrive in a real Loki, with the labels of the pod."""

import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.traffic.observers import LOKI_PORT
from tests.observability import alloy_server
from tests.observability.alloy_server import Alloy
from tests.observability.loki_server import Loki, loki_of, otlp_line, otlp_resource
from tests.observability.loki_server import running as running_loki
from tests.observability.official import OFFICIAL, official
from tests.observability.stand_in_kubelet import NODE, Kubelet, kubelet
from tests.observability.test_alloy import configuration
from tests.support.figures import Figures
from tests.support.known_metrics import exported_metrics
from tests.support.loopback import addresses, wait_until
from tests.support.own_cluster import NAMESPACE, OwnCluster

pytestmark = pytest.mark.sim
POD, CONTAINER = "archive-service-0", "server"
LABELS = {"service": "archive-service", "phase": "alpha", "pod": POD}
CLAIMED = {"service": "api-gateway", "phase": "beta", "pod": "another", "k8s.pod.name": "another"}
"""What a sender says of itself, and is not."""


@dataclass(frozen=True)
class Shipping:
    """Everything on a line's way.

    Attributes:
        folder: Folder of the test.
        kubelet: Who has what pods print.
        pod_address: Address of the pod.
        alloy: Who ships.
        loki: Who keeps.
    """

    folder: Path
    kubelet: Kubelet
    pod_address: str
    alloy: Alloy
    loki: Loki


def pod() -> dict[str, Any]:
    """A pod of a service, on the node whose kubelet the test is."""
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": "registry.example.com/archive-service:1.0.0",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    spec: dict[str, Any] = {"nodeName": NODE, "containers": [container], "securityContext": security}
    spec |= {"automountServiceAccountToken": False, "serviceAccountName": "alloy"}
    metadata = {"name": POD, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/name": "archive-service"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _run_pod(cluster: OwnCluster, node: Kubelet, address: str) -> None:
    cluster.apply(node.node())
    cluster.set_status("node", NODE, node.node_status())
    cluster.apply(pod())
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    state: dict[str, Any] = {"name": CONTAINER, "image": "x", "imageID": "x", "ready": True, "restartCount": 0}
    state |= {"containerID": "test://1", "state": {"running": {"startedAt": now}}}
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "containerStatuses": [state]}
    cluster.set_status("pod", POD, json.dumps({"status": status}))


@pytest.fixture(scope="module")
def shipping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipping]:
    """Alpha's Alloy with its own account, and alpha's Loki; the kubelet is a stand-in."""
    for name in OFFICIAL:
        # Before the cluster starts, which is of no use without them.
        official(name)
    folder = tmp_path_factory.mktemp("alloy")
    node_address, pod_address = addresses(2, ())
    with (
        alloy_server.cluster(folder) as cluster,
        kubelet(folder, node_address) as node,
        running_loki(folder, loki_of("alpha")) as loki,
    ):
        _run_pod(cluster, node, pod_address)
        account = alloy_server.account_of(cluster, folder / "alloy.kubeconfig")
        with alloy_server.running(folder, configuration("alpha"), f"{loki.address}:{LOKI_PORT}", account) as alloy:
            yield Shipping(folder, node, pod_address, alloy, loki)


def _found(shipping: Shipping, text: str, seconds: float = 60) -> tuple[dict[str, str], float]:
    query = f'{{phase="alpha"}} |= "{text}"'
    waited = wait_until(
        lambda: bool(shipping.loki.lines(query)), f"{text}: {shipping.alloy.process.log[-2000:]}", seconds
    )
    ((labels, line),) = shipping.loki.lines(query)
    # Alloy leaves the end of a line that a container printed at its end.
    assert line.removesuffix("\n") == text
    return labels, waited


def test_what_a_pod_prints_arrives_with_the_labels_of_the_pod(shipping: Shipping, figures: Figures) -> None:
    """Found, and read through a real API server, with the rights of Alloy's own Role and no others."""
    shipping.kubelet.prints(f"{NAMESPACE}/{POD}/{CONTAINER}", "printed by a pod")
    labels, seconds = _found(shipping, "printed by a pod")
    assert labels.items() >= LABELS.items()
    assert set(shipping.loki.ask("/loki/api/v1/labels").document["data"]) == {"service", "phase", "pod"}
    figures.add(
        "observability: 6 Alloy, printed", f"kubelet (a stand-in) - API server - Alloy - Loki in {seconds:.1f} s"
    )


def test_what_a_service_sends_gets_the_labels_of_its_pod_whatever_it_claims(
    shipping: Shipping, figures: Figures
) -> None:
    """The pod is found by the address that the connection comes from."""
    assert shipping.alloy.send(shipping.pod_address, "logs", otlp_line(CLAIMED, "sent by OTLP")) == 200
    labels, seconds = _found(shipping, "sent by OTLP")
    assert labels.items() >= LABELS.items()
    figures.add("observability: 6 Alloy, sent", f"OTLP - Alloy - Loki in {seconds:.1f} s, labels those of the pod")


def test_what_comes_from_no_pod_gets_no_label_that_it_claims(shipping: Shipping) -> None:
    """The control: the labels are those of a pod, and of nothing that was sent."""
    assert shipping.alloy.send(shipping.kubelet.address, "logs", otlp_line(CLAIMED, "sent by nobody")) == 200
    labels, _ = _found(shipping, "sent by nobody")
    assert labels["phase"] == "alpha"
    assert not labels.keys() & {"service", "pod"}


def test_metrics_that_a_service_sends_arrive_in_prometheus(shipping: Shipping) -> None:
    """By remote write, as the stack's own Prometheus takes it."""
    point = {"timeUnixNano": str(time.time_ns()), "asDouble": 42.5}
    scope = {"metrics": [{"name": "sent_by_otlp", "gauge": {"dataPoints": [point]}}]}
    body = {"resourceMetrics": [{"resource": otlp_resource({"service.name": "archive"}), "scopeMetrics": [scope]}]}
    with alloy_server.prometheus(shipping.folder, shipping.alloy.address) as address:
        assert shipping.alloy.send(shipping.pod_address, "metrics", body) == 200

        def values() -> list[str]:
            with urllib.request.urlopen(f"{address}/api/v1/query?query=sent_by_otlp", timeout=10) as answer:  # noqa: S310  # our own server
                found = json.load(answer)["data"]["result"]
            return [each["value"][1] for each in found]

        wait_until(lambda: values() == ["42.5"], "the metric is in Prometheus", 60)


def test_every_component_is_healthy_and_nothing_was_lost(shipping: Shipping) -> None:
    """As the alerts see it; what the list of known metrics says of Alloy is what it exports."""
    shipping.kubelet.prints(f"{NAMESPACE}/{POD}/{CONTAINER}", "one more, printed")
    _found(shipping, "one more, printed")
    assert shipping.alloy.send(shipping.pod_address, "logs", otlp_line({}, "one more, sent")) == 200
    _found(shipping, "one more, sent")
    metrics = shipping.alloy.metrics()
    names = {series.partition("{")[0] for series in metrics}
    # These two begin with the first failure.
    failures = {f"otelcol_exporter_{what}_failed_log_records_total" for what in ("send", "enqueue")}
    assert {metric.name for metric in exported_metrics() if metric.exporter == "alloy"} - names <= failures
    health = {series: value for series, value in metrics.items() if "running_components{" in series and value}
    assert ['health_type="healthy"' in series for series in health] == [True]
    lost = [value for series, value in metrics.items() if series.startswith("loki_write_dropped_entries_total")]
    assert lost
    assert not any(lost)
