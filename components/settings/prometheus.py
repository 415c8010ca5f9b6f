"""Prometheus of a stack: its own, or only the monitors and rules for one that the cluster has anyway."""

from typing import Literal, Self

from pydantic import model_validator

from components.kubernetes.quantities import mebibytes
from components.settings.base import Settings, section, setting
from components.settings.image import ImageSettings
from components.settings.labels import BoundedLabel, Labels
from components.settings.names import DnsLabel, DnsName
from components.settings.workload import Memory, QuantitySettings, ResourceSettings

BYTES_PER_SAMPLE = 2
"""Upper end of what a sample takes on disk (prometheus.io, storage: 1 to 2 bytes)."""

RETENTION_SHARE = 0.8
"""Share of the volume that finished blocks may fill; the rest is for the write-ahead log and for compaction."""

_SECONDS_PER_DAY = 24 * 3600
_BYTES_PER_MEBIBYTE = 1024 * 1024


class ExistingJobSettings(Settings):
    """Metrics that the cluster exports anyway, such as node-exporter's: pods of another namespace behind one name."""

    job: DnsLabel = setting("feature", "Name of the job, such as node-exporter.")
    host: DnsName = setting("feature", "DNS name that leads to the pods, such as that of a headless Service.")
    port: int = setting("feature", "TCP port of the pods.", ge=1, le=65535)
    namespace: DnsLabel = setting("security", "Namespace of the pods.")
    pod_labels: Labels = setting("security", "Labels of the pods.", min_length=1)


class ExternalPrometheusSettings(Settings):
    """The Prometheus that the cluster has: how it finds monitors and rules, and who it is to the network."""

    monitor_labels: Labels = setting(
        "feature",
        "Labels by which it selects monitors and rules, such as release: kube-prometheus-stack.",
        min_length=1,
    )
    namespace: DnsLabel = setting("security", "Namespace of its pods, which may then reach the metrics.", "monitoring")
    pod_labels: Labels = setting("security", "Labels of its pods.", {"app.kubernetes.io/name": "prometheus"})
    service_account: DnsLabel = setting("security", "ServiceAccount of its pods, for the mesh.", "prometheus")
    kubelet_metrics: bool = setting(
        "feature", "Whether it scrapes the kubelets, which know how full volumes are.", True
    )


class CertificateProbeSettings(Settings):
    """Certificate that is watched: that which the ingress controller shows for the stack's host."""

    service: DnsLabel = setting(
        "feature", "Service of the ingress controller, in `ingress.controllerNamespace`.", "traefik"
    )
    port: int = setting("feature", "TLS port of that Service.", 443, ge=1, le=65535)
    pod_port: int = setting("feature", "TLS port of the controller's pods.", 8443, ge=1, le=65535)
    warning_days: int = setting("feature", "Days before its end at which a certificate is an alert.", 14, ge=1, le=90)


class ExporterSettings(Settings):
    """A small program that turns the state of another one into metrics."""

    image: ImageSettings = section("Image of the exporter.")
    resources: ResourceSettings = section(
        "What each exporter is guaranteed and may use.",
        ResourceSettings(
            requests=QuantitySettings(cpu="10m", memory="32Mi"), limits=QuantitySettings(cpu="100m", memory="64Mi")
        ),
    )


def _exporter(repository: str, tag: str, what: str) -> ExporterSettings:
    exporter: ExporterSettings = section(what, ExporterSettings(image=ImageSettings(repository=repository, tag=tag)))
    return exporter


class ExportersSettings(Settings):
    """The exporters of the stack. Each runs only where there is something to export.

    Without one (null) nothing is known of what it watches: neither its metrics nor the alerts about it exist.
    """

    blackbox: ExporterSettings = _exporter("prom/blackbox-exporter", "v0.27.0", "Probes health paths and certificates.")
    kube_state: ExporterSettings | None = _exporter(
        "registry.k8s.io/kube-state-metrics/kube-state-metrics",
        "v2.17.0",
        "Exports the state of the stack's objects; null for none.",
    )
    redis: ExporterSettings | None = _exporter(
        "oliver006/redis_exporter", "v1.80.1-alpine", "Stands beside each Redis server; null for none."
    )
    nats: ExporterSettings | None = _exporter(
        "natsio/prometheus-nats-exporter", "0.17.3", "Stands beside each NATS server; null for none."
    )


class PrometheusSettings(Settings):
    """Metrics, objectives and alerts of a stack.

    `managed` runs a Prometheus of its own through Prometheus Operator. `external` brings only monitors, rules and
    exporters to one that the cluster has.
    """

    mode: Literal["managed", "external"] = setting("feature", "Whose Prometheus it is.", "managed")
    external: ExternalPrometheusSettings | None = section("The cluster's own Prometheus, in the mode `external`.", None)
    image: ImageSettings = section("Image of the server.", ImageSettings(repository="prom/prometheus", tag="v3.7.3"))
    reloader_image: ImageSettings = section(
        "Image of the operator's helper that reloads the configuration; of the operator's version.",
        ImageSettings(repository="quay.io/prometheus-operator/prometheus-config-reloader", tag="v0.85.0"),
    )
    replicas: Literal[1, 2] = setting("capacity", "Servers; two see the same and outlive a node.", 1, unit="pods")
    retention_days: int = setting("capacity", "How long metrics are kept.", 15, ge=1, le=400, unit="days")
    storage_size: Memory = setting("data", "Volume of each server. It can grow, never shrink.", "10Gi", unit="Gi")
    storage_class: str | None = setting("data", "StorageClass of the volumes; null for the cluster's default.", None)
    resources: ResourceSettings = section(
        "What each server is guaranteed and may use.",
        ResourceSettings(
            requests=QuantitySettings(cpu="200m", memory="512Mi"), limits=QuantitySettings(cpu="1", memory="1Gi")
        ),
    )
    expected_series: int = setting(
        "capacity",
        "Series that are expected at the largest scale; with the interval they are the ingest.",
        20000,
        ge=100,
    )
    scrape_interval_seconds: int = setting("capacity", "Time between two scrapes.", 30, ge=5, le=300, unit="seconds")
    sample_limit: int = setting(
        "capacity",
        "Samples of one scrape above which it is refused, so that no target can fill the memory.",
        10000,
        ge=100,
    )
    pod_target_labels: tuple[BoundedLabel, ...] = setting(
        "feature", "Labels of pods that their metrics carry, too.", ("app.kubernetes.io/version",)
    )
    existing_jobs: tuple[ExistingJobSettings, ...] = setting("feature", "What else the cluster exports.", ())
    certificate_probe: CertificateProbeSettings | None = section(
        "The certificate that is watched; null for none.", CertificateProbeSettings()
    )
    exporters: ExportersSettings = section("The exporters.", ExportersSettings())

    @property
    def is_managed(self) -> bool:
        """True if the stack runs a Prometheus of its own."""
        return self.mode == "managed"

    @property
    def watches_objects(self) -> bool:
        """True if the stack runs the exporter of its objects' state."""
        return self.is_managed and self.exporters.kube_state is not None

    @property
    def knows_objects(self) -> bool:
        """True if there are metrics of the stack's objects, by its own exporter or by that of the cluster."""
        return self.watches_objects or not self.is_managed

    @property
    def needed_mebibytes(self) -> int:
        """MiB that the retention takes on disk at the expected ingest."""
        samples = self.expected_series * self.retention_days * _SECONDS_PER_DAY / self.scrape_interval_seconds
        return int(samples * BYTES_PER_SAMPLE / _BYTES_PER_MEBIBYTE)

    @property
    def retention_mebibytes(self) -> int:
        """MiB that blocks may fill before the oldest goes, whatever its age."""
        return int(mebibytes(self.storage_size) * round(RETENTION_SHARE * 100) / 100)

    @model_validator(mode="after")
    def _the_other_prometheus_is_described(self) -> Self:
        if (self.external is not None) == self.is_managed:
            found = "is there although mode is managed" if self.is_managed else "is missing"
            raise ValueError(
                f"external {found}; with mode external it says how the cluster's Prometheus selects monitors "
                "(external.monitorLabels), with mode managed it must be null"
            )
        return self

    @model_validator(mode="after")
    def _retention_fits_the_volume(self) -> Self:
        if self.is_managed and self.needed_mebibytes > self.retention_mebibytes:
            raise ValueError(
                f"retentionDays ({self.retention_days}) takes {self.needed_mebibytes}Mi at {self.expected_series} "
                f"series every {self.scrape_interval_seconds} seconds, but of storageSize ({self.storage_size}) only "
                f"{self.retention_mebibytes}Mi are for it; lower retentionDays or raise storageSize"
            )
        return self

    @model_validator(mode="after")
    def _jobs_are_distinct(self) -> Self:
        names = [job.job for job in self.existing_jobs]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"existingJobs has the job {', '.join(doubled)} twice; give each its own name")
        return self
