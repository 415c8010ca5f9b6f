"""Alerts about pods, autoscalers, quotas, volumes, backups and the certificate."""

from collections.abc import Iterator

from components.observability.alerts.alert import Alert
from components.observability.metrics.monitors import CERTIFICATE
from components.settings import PlatformSettings

_CRASHES = 3
"""Restarts within five minutes that are too many (the original platform's own threshold)."""

_FULL = 0.8
_QUOTA_FULL = 0.9
_SECONDS_PER_DAY = 24 * 3600


def platform_alerts(platform: PlatformSettings) -> Iterator[Alert]:
    """All of them, as far as the stack has what they are about."""
    where = f'namespace="{platform.namespace}"'
    if platform.prometheus is None or platform.prometheus.knows_objects:
        yield from _workloads(where)
        yield from _limits(where, platform.canaries())
    if platform.prometheus and platform.prometheus.external and platform.prometheus.external.kubelet_metrics:
        yield _volumes(where)
    if platform.prometheus and platform.prometheus.certificate_probe:
        yield _certificate(where, platform.prometheus.certificate_probe.warning_days)
    if platform.backup:
        yield from _backups(where)


def _workloads(where: str) -> Iterator[Alert]:
    restarts = f"increase(kube_pod_container_status_restarts_total{{{where}}}[5m]) > {_CRASHES}"
    waiting = f'kube_pod_container_status_waiting_reason{{{where},reason="CrashLoopBackOff"}}'
    yield Alert(
        name="ContainerCrashLoops",
        # The kubelet waits longer from crash to crash, so counting restarts alone would fall silent after a while.
        expression=f"{restarts} or max_over_time({waiting}[5m]) >= 1",
        minutes=5,
        severity="page",
        summary="{{ $labels.pod }}: container {{ $labels.container }} crashes again and again",
        description="The pod serves nobody while its container restarts; a rollout that does this does not end.",
    )
    available = f"kube_deployment_status_replicas_available{{{where}}}"
    yield Alert(
        name="RolloutStuck",
        expression=f"{available} < kube_deployment_spec_replicas{{{where}}}",
        minutes=15,
        severity="ticket",
        summary="{{ $labels.deployment }}: {{ $value }} pods are available, which is too few",
        description="A release does not come up, or the cluster has no room for its pods.",
    )
    ready = f"kube_statefulset_status_replicas_ready{{{where}}}"
    yield Alert(
        name="StatefulSetIncomplete",
        expression=f"{ready} < kube_statefulset_replicas{{{where}}}",
        minutes=15,
        severity="ticket",
        summary="{{ $labels.statefulset }}: {{ $value }} pods are ready, which is too few",
        description="What has several servers may lose one fewer; what has one does not work.",
    )
    yield Alert(
        name="JobFailed",
        expression=f'kube_job_failed{{{where},condition="true"}} > 0',
        minutes=0,
        severity="ticket",
        summary="Job {{ $labels.job_name }} failed",
        description="What it was to do is not done: a dump, a drill, or the streams of the message queue.",
    )


def _limits(where: str, canaries: tuple[str, ...]) -> Iterator[Alert]:
    current = f"kube_horizontalpodautoscaler_status_current_replicas{{{where}}}"
    most = f"kube_horizontalpodautoscaler_spec_max_replicas{{{where}}}"
    fewest = f"kube_horizontalpodautoscaler_spec_min_replicas{{{where}}}"
    yield Alert(
        name="AutoscalerAtMaximum",
        expression=f"{current} >= {most} and {most} > {fewest}",
        minutes=15,
        severity="ticket",
        summary="{{ $labels.horizontalpodautoscaler }} runs as many pods as it may",
        description="More load makes answers slower from here on, because no pod can be added.",
    )
    # Between releases a canary has no pods, which turns its own autoscaler off; that of the pods that serve goes on.
    idle = f',horizontalpodautoscaler!~"{"|".join(canaries)}"' if canaries else ""
    which = f'{where},condition="ScalingActive",status="false"{idle}'
    active = f"kube_horizontalpodautoscaler_status_condition{{{which}}}"
    yield Alert(
        name="AutoscalerInactive",
        expression=f"{active} > 0",
        minutes=15,
        severity="ticket",
        summary="{{ $labels.horizontalpodautoscaler }} does not scale",
        description="It gets no figures, mostly for lack of a metrics API, so the number of pods stays as it is.",
    )
    used, hard = (f'kube_resourcequota{{{where},type="{kind}"}}' for kind in ("used", "hard"))
    yield Alert(
        name="QuotaNearlyFull",
        expression=f"{used} / ignoring (type) ({hard} > 0) > {_QUOTA_FULL:g}",
        minutes=15,
        severity="ticket",
        summary="{{ $labels.resource }}: {{ $value | humanizePercentage }} of the quota is used",
        description="When the quota is used up, neither a rollout nor an autoscaler can add a pod.",
    )


def _volumes(where: str) -> Alert:
    used, capacity = (f"kubelet_volume_stats_{what}_bytes{{{where}}}" for what in ("used", "capacity"))
    return Alert(
        name="VolumeFills",
        expression=f"{used} / {capacity} > {_FULL:g}",
        minutes=5,
        severity="page",
        summary="{{ $labels.persistentvolumeclaim }} is {{ $value | humanizePercentage }} full",
        description="A store that cannot write stops to answer.",
    )


def _certificate(where: str, days: int) -> Alert:
    expiry = f'probe_ssl_earliest_cert_expiry{{{where},service="{CERTIFICATE}"}}'
    return Alert(
        name="CertificateExpires",
        expression=f"{expiry} - time() < {days * _SECONDS_PER_DAY}",
        minutes=60,
        severity="ticket",
        summary="The certificate of the ingress ends in {{ $value | humanizeDuration }}",
        description="From then on browsers and clients refuse to connect.",
    )


def _backups(where: str) -> Iterator[Alert]:
    # Where there never was a good dump, its age counts from when dumps were scheduled.
    last, since = (
        f"alt_las_backup_{name}_timestamp_seconds{{{where}}}" for name in ("dump_last_success", "scheduled_since")
    )
    age = f"time() - ({last} or {since})"
    yield Alert(
        name="BackupTooOld",
        expression=f"{age} > alt_las_backup_recovery_point_objective_seconds{{{where}}}",
        minutes=5,
        severity="page",
        summary="{{ $labels.store }}: the newest good dump is {{ $value | humanizeDuration }} old",
        description="If the store were lost now, more work would be lost than recoveryPointHours allows.",
    )
    yield Alert(
        name="RestoreDrillFailed",
        expression=f"alt_las_backup_drill_success{{{where}}} == 0",
        minutes=0,
        severity="page",
        summary="{{ $labels.store }}: the last restore drill failed",
        description="The dumps may be of no use; nobody knows until a drill is good again.",
    )
