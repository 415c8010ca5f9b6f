"""Monitors: what is scraped or probed, and how. Every series carries the label `service`.

A monitor for each service, store and program of monitoring that exports metrics, a probe of the health path of each
service, and one of the certificate that is shown for the stack's host.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.kubernetes import naming
from components.kubernetes.naming import HTTP_PORT_NAME
from components.kubernetes.object import Manifest
from components.observability.metrics.exporters import CERTIFICATE_MODULE, HEALTH_MODULE
from components.observability.metrics.prometheus import WEB_PORT
from components.settings import PlatformSettings
from components.settings.prometheus import PrometheusSettings
from components.traffic.observers import (
    ALERTMANAGER,
    ALLOY,
    BACKUP_METRICS,
    BLACKBOX,
    GRAFANA,
    KUBE_STATE,
    LOKI,
    METRICS_PORT_NAME,
    PROMETHEUS,
)
from components.traffic.stores import NATS, POSTGRES_HOST, REDIS, postgres_pod_labels
from components.workloads.operated import API_VERSION

CERTIFICATE = "ingress-certificate"
"""Job and service label of the certificate's probe."""

HEALTH_JOB = "health-probe"
_COMPONENT = "monitoring"
_ABOUT = {
    "sourceLabels": ["container", "deployment", "statefulset", "horizontalpodautoscaler", "job_name"],
    "separator": "",
    "regex": "(.+)",
    "targetLabel": "service",
    "action": "replace",
}
"""Takes `service` of a series of kube-state-metrics from what it is about; each series has at most one of the labels.

With the exporter's own name there, crash loops of all services would be one notification.
"""
_LONGEST_PROBE_SECONDS = 10
_PROBES_IN_AN_INTERVAL = 3


def monitors(platform: PlatformSettings, prober: str) -> tuple[Manifest, ...]:
    """All monitors of a stack; none without Prometheus.

    Args:
        platform: The stack's settings.
        prober: Host and port of the blackbox exporter.
    """
    if platform.prometheus is None:
        return ()
    return tuple(_Monitors(platform, platform.prometheus, prober).all())


@dataclass(frozen=True)
class _Monitors:
    """Makes the monitors of one stack."""

    platform: PlatformSettings
    settings: PrometheusSettings
    prober: str

    def all(self) -> Iterator[Manifest]:
        """Every monitor, services first."""
        yield from self._services()
        yield from self._stores()
        yield from self._logs_and_dashboards()
        yield self._pods(BLACKBOX, METRICS_PORT_NAME)
        if self.settings.watches_objects:
            # It says whom each series is about, and must not be taken for that itself.
            yield self._pods(KUBE_STATE, METRICS_PORT_NAME, honorLabels=True, metricRelabelings=[_ABOUT])
        if self.settings.is_managed:
            yield self._pods(PROMETHEUS, WEB_PORT)
            yield from self._existing_jobs()
        if self.platform.alertmanager:
            yield self._pods(ALERTMANAGER, WEB_PORT)
        if probe := self.settings.certificate_probe:
            host = f"{probe.service}.{self.platform.ingress.controller_namespace}.svc:{probe.port}"
            yield self._probe(CERTIFICATE, CERTIFICATE_MODULE, host)

    def _services(self) -> Iterator[Manifest]:
        for name, service in self.platform.services.by_name().items():
            if service.metrics:
                # The Service leads to the pods that serve; those of a new release have one of their own.
                services = (name, naming.canary_of(name)) if service.canary else (name,)
                yield self._service(name, service.metrics.path, naming.selector(*services))
            # The path that the readiness probe asks for, through the Service, as a caller would.
            host = f"{name}.{self.platform.namespace}.svc:{service.port}"
            yield self._probe(name, HEALTH_MODULE, f"http://{host}{service.probes.readiness_path}")

    def _service(self, name: str, path: str, selector: Mapping[str, Any]) -> Manifest:
        spec = {
            "jobLabel": "app.kubernetes.io/name",
            "selector": selector,
            "endpoints": [{"port": HTTP_PORT_NAME, "path": path, "interval": self._interval}],
        }
        return self._monitor("ServiceMonitor", name, spec | self._pod_target_labels)

    def _stores(self) -> Iterator[Manifest]:
        if self.platform.postgres:
            yield self._pods(POSTGRES_HOST, METRICS_PORT_NAME, postgres_pod_labels())
        if self.platform.redis and self.settings.exporters.redis:
            yield self._pods(REDIS, METRICS_PORT_NAME)
        if self.platform.nats and self.settings.exporters.nats:
            yield self._pods(NATS, METRICS_PORT_NAME)
        if self.platform.backup:
            # It says which store each series is about.
            yield self._pods(BACKUP_METRICS, METRICS_PORT_NAME)

    def _logs_and_dashboards(self) -> Iterator[Manifest]:
        parts = {LOKI: self.platform.loki, ALLOY: self.platform.alloy, GRAFANA: self.platform.grafana}
        yield from (self._pods(name, HTTP_PORT_NAME) for name, settings in parts.items() if settings)

    def _pods(self, name: str, port: str, labels: Mapping[str, str] | None = None, **further: Any) -> Manifest:
        """Scrapes the pods themselves: what each server says matters, and no Service chooses one of them."""
        fixed = [{"targetLabel": label, "replacement": name, "action": "replace"} for label in ("job", "service")]
        endpoint = {"port": port, "interval": self._interval, "relabelings": fixed, "honorLabels": False, **further}
        spec = {
            "selector": {"matchLabels": dict(labels or naming.selector_labels(name))},
            "podMetricsEndpoints": [endpoint],
        }
        return self._monitor("PodMonitor", name, spec | self._pod_target_labels)

    def _probe(self, name: str, module: str, target: str) -> Manifest:
        # A third of the interval at most, so that two probes never overlap.
        seconds = min(_LONGEST_PROBE_SECONDS, self.settings.scrape_interval_seconds // _PROBES_IN_AN_INTERVAL)
        spec = {
            "jobName": HEALTH_JOB if module == HEALTH_MODULE else CERTIFICATE,
            "interval": self._interval,
            "scrapeTimeout": f"{seconds}s",
            "module": module,
            "prober": {"url": self.prober, "path": "/probe"},
            "targets": {"staticConfig": {"static": [target], "labels": {"service": name}}},
        }
        return self._monitor("Probe", name, spec)

    def _existing_jobs(self) -> Iterator[Manifest]:
        for job in self.settings.existing_jobs:
            fixed = [{"targetLabel": "service", "replacement": job.job, "action": "replace"}]
            spec = {
                "jobName": job.job,
                "scrapeInterval": self._interval,
                "dnsSDConfigs": [{"names": [job.host], "type": "A", "port": job.port}],
                "relabelings": fixed,
            }
            yield self._monitor("ScrapeConfig", job.job, spec, "monitoring.coreos.com/v1alpha1")

    @property
    def _interval(self) -> str:
        return f"{self.settings.scrape_interval_seconds}s"

    @property
    def _pod_target_labels(self) -> dict[str, Any]:
        # In the mode managed the object Prometheus says it for all monitors.
        return {} if self.settings.is_managed else {"podTargetLabels": list(self.settings.pod_target_labels)}

    def _monitor(self, kind: str, name: str, spec: Mapping[str, Any], api_version: str = API_VERSION) -> Manifest:
        metadata = monitor_metadata(name, self.settings, self.platform)
        limited = {**spec, "sampleLimit": self.settings.sample_limit}
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": limited}


def jobs(monitors_of_stack: Iterable[Manifest]) -> tuple[str, ...]:
    """Names of the jobs that the monitors make, in alphabetical order."""
    return tuple(sorted({str(each["spec"].get("jobName", each["metadata"]["name"])) for each in monitors_of_stack}))


def monitor_metadata(name: str, settings: PrometheusSettings, platform: PlatformSettings) -> dict[str, Any]:
    """Metadata of a monitor or of rules, with the labels by which a Prometheus that is not ours selects them."""
    selected_by = settings.external.monitor_labels if settings.external else {}
    labels = {**selected_by, **naming.labels(name, _COMPONENT)}
    return {"name": name, "namespace": platform.namespace, "labels": labels}
