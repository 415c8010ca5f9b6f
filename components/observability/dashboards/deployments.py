"""The dashboard of releases: what is being rolled out, what is stuck, what runs beside it, and how delivery goes."""

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery, Dashboard

from components.observability.dashboards import expressions as x
from components.observability.dashboards.panels import PROMETHEUS, Limits, Panel, Promql, board, graph, number
from components.observability.dashboards.view import View

RELEASES = "changes(kube_deployment_status_observed_generation[2m]) > 0"
"""A Deployment that has changed: the mark of a release in the graphs."""


_DELIVERY = (
    ("Change lead time", "Median from the commit to the end of its deployment.", "s", "change_lead_time_seconds"),
    ("Deployments per week", "Over the window that was asked for.", "none", "deployment_frequency_per_week"),
    (
        "Failed deployment recovery time",
        "Median from the end of a failed deployment to the end of the next good one.",
        "s",
        "failed_deployment_recovery_time_seconds",
    ),
    (
        "Change fail rate",
        "Share of deployments that failed or were taken back.",
        "percentunit",
        "change_fail_rate_ratio",
    ),
    (
        "Deployment rework rate",
        "Share of deployments that an incident made necessary.",
        "percentunit",
        "deployment_rework_rate_ratio",
    ),
)
"""Title, description, unit and metric of each figure, which `altlas ledger metrics` computes."""


def deployments_board(view: View) -> Dashboard:
    """Rollouts, restarts and jobs of the namespace, and DORA's five metrics."""
    rows = [
        ("Rollouts", _rollouts(view)),
        ("Pods", _pods(view)),
        ("Jobs", _jobs(view)),
        ("Delivery, by DORA's definitions", _delivery(view)),
    ]
    text = f"What changes in the namespace {view.namespace}. A mark in the graphs is a Deployment that was changed."
    made = board("alt-las-deployments", "Deployments", text, rows)
    return made.annotation(
        AnnotationQuery().name("Releases").datasource(PROMETHEUS).enable(True).icon_color("purple").expr(RELEASES)
    )


def _rollouts(view: View) -> list[Panel]:
    def metric(name: str) -> str:
        return f'{name}{{namespace="{view.namespace}"}}'

    wanted, updated = metric("kube_deployment_spec_replicas"), metric("kube_deployment_status_replicas_updated")
    available = metric("kube_deployment_status_replicas_available")
    sets, ready = metric("kube_statefulset_replicas"), metric("kube_statefulset_status_replicas_ready")
    return [
        number(
            "Rollouts under way",
            "Deployments whose pods are not all of the newest release.",
            "none",
            Promql(f"count({wanted} > {updated}) or vector(0)"),
            Limits(1, 6),
        ),
        number(
            "Deployments short of pods",
            "With fewer ready pods than wanted.",
            "none",
            Promql(f"count({wanted} > {available}) or vector(0)"),
            Limits(1, 3),
        ),
        number(
            "StatefulSets short of pods",
            "With fewer ready pods than wanted.",
            "none",
            Promql(f"count({sets} > {ready}) or vector(0)"),
            Limits(1, 2),
        ),
        number(
            "Budgets without room",
            "PodDisruptionBudgets that let no pod go, so that no node can be drained.",
            "none",
            Promql(f"count({metric('kube_poddisruptionbudget_status_pod_disruptions_allowed')} == 0) or vector(0)"),
            Limits(1, 3),
        ),
        graph("Ready pods", "By Deployment.", "none", Promql(f"sum by (deployment) ({available})", "{{deployment}}")),
        graph(
            "Pods of the newest release",
            "By Deployment.",
            "none",
            Promql(f"sum by (deployment) ({updated})", "{{deployment}}"),
        ),
    ]


def _pods(view: View) -> list[Panel]:
    reasons = f'kube_pod_container_status_waiting_reason{{namespace="{view.namespace}"}}'
    return [
        graph(
            "Why containers wait",
            "By reason, such as CrashLoopBackOff or ImagePullBackOff.",
            "none",
            Promql(f"sum by (reason) ({reasons})", "{{reason}}"),
        ),
        graph("Restarts", "In an hour, by pod.", "none", Promql(f"{x.restarts('.+', '1h')} > 0", "{{pod}}")),
    ]


def _jobs(view: View) -> list[Panel]:
    success = f'kube_cronjob_status_last_successful_time{{namespace="{view.namespace}"}}'
    failed = f'kube_job_status_failed{{namespace="{view.namespace}"}}'
    return [
        graph(
            "Since the last success",
            "Age of the last good run of each CronJob.",
            "s",
            Promql(f"time() - max by (cronjob) ({success})", "{{cronjob}}"),
        ),
        graph("Failed pods of Jobs", "By Job.", "none", Promql(f"sum by (job_name) ({failed}) > 0", "{{job_name}}")),
    ]


def _delivery(view: View) -> list[Panel]:
    where = "From the ledger; no data until `altlas ledger metrics` has been sent, or for fewer than five cases."
    return [
        number(title, f"{text} {where}", unit, Promql(x.delivery(metric, view.stack)), width=4)
        for title, text, unit, metric in _DELIVERY
    ]
