"""A stand-in for a stack on loopback: services and a prober that answer Prometheus, and a receiver of alerts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

import yaml

from cluster.ports import LOOPBACK
from tests.support.http_server import QuietHandler, running_server

_GATEWAY = """\
# TYPE http_request_duration_ms histogram
http_request_duration_ms_bucket{code="200",le="50"} 5
http_request_duration_ms_bucket{code="200",le="+Inf"} 5
http_request_duration_ms_sum{code="200"} 100
http_request_duration_ms_count{code="200"} 5
# TYPE alt_las_backup_drill_success gauge
alt_las_backup_drill_success{store="redis"} 0
"""
_PROBE = """\
# TYPE probe_success gauge
probe_success 1
# TYPE probe_duration_seconds gauge
probe_duration_seconds 0.02
"""


@dataclass
class StandIn:
    """Server that answers, and what it received.

    Attributes:
        port: TCP port.
        received: Bodies of the webhook's requests.
        asked: Paths that were asked for.
    """

    port: int = 0
    received: list[dict[str, Any]] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """Every alert that the webhook was told."""
        return [alert for body in self.received for alert in body["alerts"]]


@contextmanager
def stand_in(address: str = LOOPBACK, port: int = 0) -> Iterator[StandIn]:
    """Serve until the block ends, at an address and a TCP port; 0 is a free one."""
    state = StandIn()

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            """Answer a scrape, of a service or of the prober."""
            state.asked.add(self.path)
            body = (_PROBE if self.path.startswith("/probe?") else _GATEWAY).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            """Take an alert."""
            state.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with running_server(ThreadingHTTPServer((address, port), Handler)) as state.port:
        yield state


def on_loopback(text: str, rule_file: str, target_port: int, alertmanager: str) -> str:
    """The operator's configuration with this machine's addresses where it would ask the API server.

    Relabelling, limits and labels stay as they are; only the jobs of the gateway and of the probes are kept, and
    everything is scraped and evaluated every second.
    """
    # What the reloader beside Prometheus does with the operator's text.
    document = yaml.safe_load(text.replace("$(SHARD)", "0").replace("$(POD_NAME)", "prometheus-prometheus-0"))
    document["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    document["rule_files"] = [rule_file]
    target = f"127.0.0.1:{target_port}"
    jobs = [job for job in document["scrape_configs"] if job["job_name"].startswith(("serviceMonitor", "probe"))]
    for job in jobs:
        job |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
        if "kubernetes_sd_configs" in job:
            del job["kubernetes_sd_configs"]
            job["static_configs"] = [{"targets": [target], "labels": _DISCOVERED}]
        else:
            _ask(job, target)
    document["scrape_configs"] = jobs
    document["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    return yaml.safe_dump(document)


_DISCOVERED = {
    "__meta_kubernetes_namespace": "alt-las",
    "__meta_kubernetes_service_name": "api-gateway",
    "__meta_kubernetes_service_label_app_kubernetes_io_name": "api-gateway",
    "__meta_kubernetes_service_labelpresent_app_kubernetes_io_name": "true",
    "__meta_kubernetes_service_label_app_kubernetes_io_part_of": "alt-las",
    "__meta_kubernetes_service_labelpresent_app_kubernetes_io_part_of": "true",
    "__meta_kubernetes_endpointslice_port_name": "http",
    "__meta_kubernetes_endpointslice_address_target_kind": "Pod",
    "__meta_kubernetes_endpointslice_address_target_name": "api-gateway-1",
    "__meta_kubernetes_pod_name": "api-gateway-1",
    "__meta_kubernetes_pod_container_name": "api-gateway",
    "__meta_kubernetes_pod_phase": "Running",
    "__meta_kubernetes_pod_label_app_kubernetes_io_version": "1.0.0-alpha",
}
"""What discovery would say about a pod of the gateway."""


def _ask(job: dict[str, Any], prober: str) -> None:
    for rule in job["relabel_configs"]:
        if rule.get("target_label") == "__address__":
            rule["replacement"] = prober
