"""Pods of monitoring as the service graph sees them. Policies, mesh and proof derive from it."""

from collections.abc import Iterator

from components.kubernetes.naming import selector_labels
from components.settings import PlatformSettings
from components.settings.prometheus import ExportersSettings, PrometheusSettings
from components.traffic.graph import Observer, Outside, Scrape
from components.traffic.stores import NATS, POSTGRES, REDIS_SERVERS

PROMETHEUS = "prometheus"
EXTERNAL_PROMETHEUS = "external-prometheus"
"""Stands for the Prometheus that the cluster has anyway, in another namespace."""

ALERTMANAGER = "alertmanager"
BLACKBOX = "blackbox-exporter"
KUBE_STATE = "kube-state-metrics"
BACKUP_METRICS = "backup-metrics"
FLAGGER, FLAGGER_PORT = "flagger", 8080
"""The operator of canaries, which asks Prometheus, and the TCP port of its own metrics."""
CANARY_APPROVALS, CANARY_APPROVALS_PORT = "canary-approvals", 8080
"""What Flagger asks whether a person has approved a release, and its TCP port."""

PROMETHEUS_SERVICE = "prometheus-operated"
"""The Service that Prometheus Operator makes in the namespace of every Prometheus."""
METRICS_PORT_NAME = "metrics"
"""Name of the port of every exporter; CloudNativePG names its own the same."""

PROMETHEUS_PORT = 9090
ALERTMANAGER_PORT = 9093
ALERTMANAGER_GOSSIP_PORT = 9094
BLACKBOX_PORT = 9115
KUBE_STATE_PORT = 8080
POSTGRES_METRICS_PORT = 9187
"""Port on which CloudNativePG's instance manager exports its metrics."""

LOKI, LOKI_PORT = "loki", 3100
ALLOY, ALLOY_PORT = "alloy", 12345
"""Alloy, and the TCP port of its own health and metrics."""

OTLP_GRPC_PORT, OTLP_HTTP_PORT = 4317, 4318
GRAFANA, GRAFANA_PORT = "grafana", 3000
REDIS_METRICS_PORT = 9121
NATS_METRICS_PORT = 7777
BACKUP_METRICS_PORT = 9240
"""Port of the exporter of backup and restore-test results; the names are in `backup.metrics`."""


def scraper_of(platform: PlatformSettings) -> str | None:
    """Name of the Prometheus that scrapes the stack, or None where nobody does."""
    if platform.prometheus is None:
        return None
    return PROMETHEUS if platform.prometheus.is_managed else EXTERNAL_PROMETHEUS


def declared_observers(platform: PlatformSettings) -> tuple[Observer, ...]:
    """The pods of monitoring of a stack, with all that they read and call."""
    metrics = _observers(platform) if platform.prometheus else ()
    return (*metrics, *_logs(platform), *_dashboards(platform))


def _logs(platform: PlatformSettings) -> Iterator[Observer]:
    if platform.loki:
        bucket = platform.loki.object_store
        yield Observer(name=LOKI, port=LOKI_PORT, outside=(Outside(bucket.ranges, bucket.port),) if bucket else ())
    if platform.alloy:
        yield Observer(
            name=ALLOY,
            port=OTLP_HTTP_PORT,
            further_ports=(OTLP_GRPC_PORT,),
            calls=(LOKI, *([PROMETHEUS] if takes_metrics(platform) else [])),
            called_by_services=True,
            reads_api_server=True,
            in_mesh=True,
        )


def takes_metrics(platform: PlatformSettings) -> bool:
    """Return whether there is a Prometheus of the stack's own, which takes the metrics that services send."""
    return platform.prometheus is not None and platform.prometheus.is_managed


def _dashboards(platform: PlatformSettings) -> Iterator[Observer]:
    scraper = scraper_of(platform)
    if platform.grafana and scraper:
        yield Observer(
            name=GRAFANA,
            port=GRAFANA_PORT,
            calls=(scraper, *([LOKI] if platform.loki else [])),
            from_ingress=platform.grafana.host is not None,
            in_mesh=True,
        )


def _observers(platform: PlatformSettings) -> Iterator[Observer]:
    settings = platform.prometheus
    assert settings is not None, "asked for only where there is one"
    yield _prometheus(platform, settings)
    certificate = settings.certificate_probe
    yield Observer(
        name=BLACKBOX,
        port=BLACKBOX_PORT,
        scrapes=tuple(Scrape(BLACKBOX, name, each.port) for name, each in platform.services.by_name().items()),
        in_mesh=True,
        ingress_ports=tuple(sorted({certificate.port, certificate.pod_port})) if certificate else (),
    )
    if settings.watches_objects:
        yield Observer(name=KUBE_STATE, port=KUBE_STATE_PORT, reads_api_server=True)
    if platform.backup:
        yield Observer(name=BACKUP_METRICS, port=BACKUP_METRICS_PORT, reads_api_server=True)
    if platform.canaries():
        flagger = platform.flagger
        if flagger.approvals:
            yield Observer(name=CANARY_APPROVALS, port=CANARY_APPROVALS_PORT, answers_api_server=True)
        yield Observer(
            name=FLAGGER,
            port=FLAGGER_PORT,
            calls=(PROMETHEUS, *([CANARY_APPROVALS] if flagger.approvals else [])),
            pod_labels=flagger.pod_labels,
            namespace=flagger.namespace,
        )
    if platform.alertmanager:
        receivers = {Outside(each.ranges, each.port) for each in platform.alertmanager.receivers}
        yield Observer(
            name=ALERTMANAGER,
            port=ALERTMANAGER_PORT,
            answers_api_server=True,
            outside=tuple(sorted(receivers)),
            pod_labels=selector_labels(ALERTMANAGER),
        )


def _prometheus(platform: PlatformSettings, settings: PrometheusSettings) -> Observer:
    managed, external = settings.is_managed, settings.external
    name = PROMETHEUS if managed else EXTERNAL_PROMETHEUS
    targets = _exporting(platform, settings.exporters) | ({PROMETHEUS: PROMETHEUS_PORT} if managed else {})
    targets |= {KUBE_STATE: KUBE_STATE_PORT} if settings.watches_objects else {}
    return Observer(
        name=name,
        port=PROMETHEUS_PORT,
        scrapes=tuple(Scrape(name, target, port) for target, port in targets.items()),
        calls=(ALERTMANAGER,) if platform.alertmanager else (),
        reads_api_server=managed,
        answers_api_server=managed,
        in_mesh=managed,
        # The operator makes the pods, with the labels that the object Prometheus gives it.
        pod_labels=external.pod_labels if external else selector_labels(name),
        namespace=external.namespace if external else None,
    )


def _exporting(platform: PlatformSettings, exporters: ExportersSettings) -> dict[str, int]:
    """Exporters in both modes, with the port of their pods."""
    services = {name: each.port for name, each in platform.services.by_name().items() if each.metrics}
    return {
        **services,
        BLACKBOX: BLACKBOX_PORT,
        **({POSTGRES: POSTGRES_METRICS_PORT} if platform.postgres else {}),
        **({REDIS_SERVERS: REDIS_METRICS_PORT} if platform.redis and exporters.redis else {}),
        **({NATS: NATS_METRICS_PORT} if platform.nats and exporters.nats else {}),
        **({BACKUP_METRICS: BACKUP_METRICS_PORT} if platform.backup else {}),
        **({LOKI: LOKI_PORT} if platform.loki else {}),
        **({ALLOY: ALLOY_PORT} if platform.alloy else {}),
        **({GRAFANA: GRAFANA_PORT} if platform.grafana else {}),
    }
