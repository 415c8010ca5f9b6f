"""The dashboard that is looked at first: is the platform well, and if not, where does it hurt."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders.dashboard import Dashboard

from components.observability.dashboards import expressions as x
from components.observability.dashboards.panels import (
    Limits,
    Logql,
    Panel,
    Promql,
    board,
    graph,
    number,
    service_map,
)
from components.observability.dashboards.view import View, Watched


def overview(view: View) -> Dashboard:
    """Platform overview with the service map."""
    rows = [("Is it well?", _health(view)), ("Who calls whom, and who answers", _map(view)), ("Work", _work(view))]
    title = "Platform overview"
    return board("alt-las-overview", title, f"The stack {view.stack} in the namespace {view.namespace}.", rows)


def _health(view: View) -> list[Panel]:
    answering = f"sum(min by (service) (probe_success{x.probes()}))"
    not_ready = f'count(kube_pod_status_ready{{namespace="{view.namespace}", condition="true"}} == 0) or vector(0)'
    restarts = f"sum({x.restarts('.+', '1h')}) or vector(0)"
    few = len(view.services)
    return [
        number(
            "Services that answer",
            f"Of {few}: those whose health path answers every probe. Look at the map for the others.",
            "none",
            Promql(answering),
            Limits(few - 1, few, "high"),
        ),
        number(
            "Firing alerts",
            "Alerts that are firing now; each has a page in docs/runbooks.",
            "none",
            Promql('count(ALERTS{alertstate="firing", alertname!="Watchdog"}) or vector(0)'),
            Limits(1, 3),
        ),
        number(
            "Pods not ready", "Pods of the namespace that take no requests.", "none", Promql(not_ready), Limits(1, 3)
        ),
        number(
            "Restarts in the last hour",
            "Containers that ended and were started again; the deployments dashboard says which.",
            "none",
            Promql(restarts),
            Limits(1, 4),
        ),
    ]


def _map(view: View) -> list[Panel]:
    text = "The calls that the service graph allows; a node shows 1 where it answers and 0 where it does not."
    return [
        service_map("Service map", text, x.map_nodes(view), x.map_edges(view.calls)),
        graph(
            "Availability",
            "Share of the probes of each health path that succeeded in the last five minutes.",
            "percentunit",
            Promql(f"avg by (service) (avg_over_time(probe_success{x.probes()}[5m]))", "{{service}}"),
            maximum=1,
            height=7,
        ),
        graph(
            "Probe duration",
            "Time in which each health path answers.",
            "s",
            Promql(f"max by (service) (probe_duration_seconds{x.probes()})", "{{service}}"),
            height=7,
        ),
    ]


def _work(view: View) -> list[Panel]:
    counted = [service for service in view.services if service.histogram]
    requests = [
        graph("Requests", "Requests each second that the service counts.", "reqps", *_rates(counted))
        for _ in counted[:1]
    ]
    logs = [
        graph(
            "Log lines that report a failure",
            "By service, as far as a line names its level.",
            "short",
            Logql(x.log_errors(x.streams(view)), "{{service}}"),
        )
        for _ in range(view.logs)
    ]
    pods = f'sum by (deployment) (kube_deployment_status_replicas_available{{namespace="{view.namespace}"}})'
    replicas = graph("Pods that are ready", "By Deployment.", "none", Promql(pods, "{{deployment}}"))
    return [*requests, *logs, replicas]


def _rates(services: Sequence[Watched]) -> list[Promql]:
    return [Promql(x.requests(service), service.name) for service in services]
