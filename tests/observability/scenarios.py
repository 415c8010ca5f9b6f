"""For every alert: series under which it fires, and series, close to them, under which it keeps quiet."""

from tests.observability.log_scenarios import LOGS
from tests.observability.scenario import Scenario, Series, constant, pair, series
from tests.observability.store_scenarios import STORES


def _probe(values: str) -> Series:
    return {series("probe_success", 'service="runner-service"'): values}


def _durations(fast: str, slow: str, code: str = "200") -> Series:
    """A histogram: requests below 50 ms, and all of them, the others between 2500 and 5000 ms."""
    labels = ('service="api-gateway"', f'code="{code}"')
    return {
        series("http_request_duration_ms_bucket", *labels, 'le="50"'): fast,
        series("http_request_duration_ms_bucket", *labels, 'le="2500"'): fast,
        series("http_request_duration_ms_bucket", *labels, 'le="5000"'): slow,
        series("http_request_duration_ms_bucket", *labels, 'le="+Inf"'): slow,
    }


def _answers(failing: str, all_others: str) -> Series:
    labels = 'service="api-gateway"'
    return {
        series("http_request_duration_ms_count", labels, 'code="503"'): failing,
        series("http_request_duration_ms_count", labels, 'code="200"'): all_others,
    }


_THREE_DAYS = 3 * 24 * 60
_STEP = 15
_POINTS = _THREE_DAYS // _STEP
_ONE_IN_TWENTY = " ".join(["1x18 0"] * (_POINTS // 20 + 1))
_ONCE_IN_THREE_DAYS = "1x100 0 1x300"

_BUDGETS = (
    Scenario(
        alert="AvailabilityBudgetBurnsFast",
        # One failed probe is far too fast for five minutes, but not for an hour.
        cases=(_probe("1x60 0x60"), _probe("1x85 0 1x60")),
        where={"service": "runner-service"},
        minute=90,
        severity="page",
    ),
    Scenario(
        alert="AvailabilityBudgetBurnsSlowly",
        cases=(_probe(_ONE_IN_TWENTY), _probe(_ONCE_IN_THREE_DAYS)),
        where={"service": "runner-service"},
        minute=_THREE_DAYS,
        step=_STEP,
    ),
    Scenario(
        alert="LatencyBudgetBurnsFast",
        cases=(_durations("0x200", "0+60x200"), _durations("0+58x200", "0+60x200")),
        minute=90,
        severity="page",
    ),
    Scenario(
        alert="LatencyBudgetBurnsSlowly",
        cases=(_durations(f"0+270x{_POINTS}", f"0+300x{_POINTS}"), _durations(f"0+297x{_POINTS}", f"0+300x{_POINTS}")),
        where={"service": "api-gateway"},
        minute=_THREE_DAYS,
        step=_STEP,
    ),
    Scenario(
        alert="SuccessBudgetBurnsFast",
        cases=(_answers("0+20x200", "0+80x200"), _answers("0+1x200", "0+200x200")),
        minute=90,
        severity="page",
    ),
    Scenario(
        alert="SuccessBudgetBurnsSlowly",
        cases=(_answers(f"0+6x{_POINTS}", f"0+294x{_POINTS}"), _answers(f"0+1x{_POINTS}", f"0+299x{_POINTS}")),
        minute=_THREE_DAYS,
        step=_STEP,
    ),
)

_RESTARTS = series("kube_pod_container_status_restarts_total", 'pod="a-1"', 'container="a"')
_AVAILABLE, _WANTED = (
    series(f"kube_deployment_{what}", 'deployment="a"') for what in ("status_replicas_available", "spec_replicas")
)
_READY, _SERVERS = (
    series(f"kube_statefulset_{what}", 'statefulset="redis"') for what in ("status_replicas_ready", "replicas")
)
_SCALER = 'horizontalpodautoscaler="a"'
_QUOTA = 'resource="pods"'
_PLATFORM = (
    Scenario(
        alert="ContainerCrashLoops",
        cases=({_RESTARTS: "0+1x60"}, {_RESTARTS: "0x10 1x10 2x40"}),
        severity="page",
    ),
    Scenario(alert="RolloutStuck", cases=pair(_AVAILABLE, _WANTED, ("1x60", "2x60"), ("2x60", "2x60"))),
    Scenario(alert="StatefulSetIncomplete", cases=pair(_READY, _SERVERS, ("2x60", "3x60"), ("3x60", "3x60"))),
    Scenario(alert="JobFailed", cases=constant("kube_job_failed", 'job_name="a",condition="true"', 1, 0)),
    Scenario(
        alert="AutoscalerAtMaximum",
        cases=(
            {
                series("kube_horizontalpodautoscaler_status_current_replicas", _SCALER): "5x60",
                series("kube_horizontalpodautoscaler_spec_max_replicas", _SCALER): "5x60",
                series("kube_horizontalpodautoscaler_spec_min_replicas", _SCALER): "2x60",
            },
            {
                series("kube_horizontalpodautoscaler_status_current_replicas", _SCALER): "4x60",
                series("kube_horizontalpodautoscaler_spec_max_replicas", _SCALER): "5x60",
                series("kube_horizontalpodautoscaler_spec_min_replicas", _SCALER): "2x60",
            },
        ),
    ),
    Scenario(
        alert="AutoscalerInactive",
        cases=constant(
            "kube_horizontalpodautoscaler_status_condition",
            f'{_SCALER},condition="ScalingActive",status="false"',
            1,
            0,
        ),
    ),
    Scenario(
        alert="QuotaNearlyFull",
        cases=pair(
            series("kube_resourcequota", _QUOTA, 'type="used"'),
            series("kube_resourcequota", _QUOTA, 'type="hard"'),
            ("19x60", "20x60"),
            ("18x60", "20x60"),
        ),
    ),
    Scenario(
        alert="CertificateExpires",
        minute=90,
        cases=constant("probe_ssl_earliest_cert_expiry", 'service="ingress-certificate"', 14 * 86400, 15 * 86400),
    ),
    Scenario(
        alert="BackupTooOld",
        severity="page",
        cases=pair(
            series("alt_las_backup_dump_last_success_timestamp_seconds", 'store="redis"'),
            series("alt_las_backup_recovery_point_objective_seconds", 'store="redis"'),
            ("60x60", "600x60"),
            ("60x60", "6000x60"),
        ),
    ),
    # A store that was never dumped has no last dump.
    Scenario(
        alert="BackupTooOld",
        severity="page",
        cases=pair(
            series("alt_las_backup_scheduled_since_timestamp_seconds", 'store="nats"'),
            series("alt_las_backup_recovery_point_objective_seconds", 'store="nats"'),
            ("60x60", "600x60"),
            ("60x60", "6000x60"),
        ),
    ),
    # An old schedule whose last dump is young is as it should be.
    Scenario(
        alert="BackupTooOld",
        severity="page",
        cases=(
            {
                series("alt_las_backup_dump_last_success_timestamp_seconds", 'store="redis"'): "600x60",
                series("alt_las_backup_scheduled_since_timestamp_seconds", 'store="redis"'): "60x60",
                series("alt_las_backup_recovery_point_objective_seconds", 'store="redis"'): "600x60",
            },
            {
                series("alt_las_backup_dump_last_success_timestamp_seconds", 'store="redis"'): "1500x60",
                series("alt_las_backup_scheduled_since_timestamp_seconds", 'store="redis"'): "60x60",
                series("alt_las_backup_recovery_point_objective_seconds", 'store="redis"'): "600x60",
            },
        ),
    ),
    Scenario(
        alert="RestoreDrillFailed",
        severity="page",
        cases=constant("alt_las_backup_drill_success", 'store="redis"', 0, 1),
    ),
)

_POD = 'pod="prometheus-0"'
_UP = series("up", 'job="redis"', 'instance="a"')
_MONITORING = (
    Scenario(alert="TargetDown", cases=({_UP: "1x10 0x50"}, {_UP: "1x10 0x3 1x50"})),
    Scenario(
        alert="TargetMissing",
        cases=({series("up", 'job="nats"'): "1x60"}, {_UP: "1x60"}),
        where={"service": "redis"},
    ),
    Scenario(
        alert="PrometheusConfigurationRejected",
        severity="page",
        cases=constant("prometheus_config_last_reload_successful", _POD, 0, 1),
    ),
    Scenario(
        alert="PrometheusRuleFailures",
        severity="page",
        cases=(
            {series("prometheus_rule_evaluation_failures_total", _POD): "0+1x60"},
            {series("prometheus_rule_evaluation_failures_total", _POD): "7x60"},
        ),
    ),
    Scenario(
        alert="MetricsDroppedEarly",
        cases=(
            {series("prometheus_tsdb_size_retentions_total", _POD): "0x10 1x50"},
            {series("prometheus_tsdb_size_retentions_total", _POD): "1x60"},
        ),
    ),
    Scenario(
        alert="PrometheusWithoutAlertmanager",
        severity="page",
        cases=constant("prometheus_notifications_alertmanagers_discovered", _POD, 0, 1),
    ),
    Scenario(
        alert="AlertsNotDelivered",
        severity="page",
        cases=(
            {series("alertmanager_notifications_failed_total", _POD): "0+1x60"},
            {series("alertmanager_notifications_failed_total", _POD): "3x60"},
        ),
    ),
)

SCENARIOS = (*_BUDGETS, *_PLATFORM, *STORES, *_MONITORING, *LOGS)
"""All of them. `Watchdog` always fires and `VolumeFills` belongs to another mode; both are tested apart."""

KUBELET = (
    Scenario(
        alert="VolumeFills",
        severity="page",
        cases=pair(
            series("kubelet_volume_stats_used_bytes", 'persistentvolumeclaim="a"'),
            series("kubelet_volume_stats_capacity_bytes", 'persistentvolumeclaim="a"'),
            ("81x60", "100x60"),
            ("80x60", "100x60"),
        ),
    ),
)
"""In the mode external, where the cluster's Prometheus scrapes kubelets."""
