"""One dashboard for each service: rate, errors, duration, what it promises, and what its pods do."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from components.observability.dashboards import expressions as x
from components.observability.dashboards.panels import (
    Limits,
    Logql,
    Panel,
    Promql,
    Query,
    board,
    graph,
    lines,
    number,
)
from components.observability.dashboards.view import View, Watched


def service_board(view: View, service: Watched) -> Dashboard:
    """The dashboard that a service has by being declared."""
    rows = [
        ("What it promises", _promises(service)),
        ("Rate, errors, duration", _red(service)),
        ("Pods", _pods(service)),
        *([("Logs", _logs(view, service))] if view.logs else []),
    ]
    text = f"{service.name} of the stack {view.stack}. " + (
        "Its image exports metrics."
        if service.histogram
        else "Its image exports no metrics: its health path is probed."
    )
    return board(f"alt-las-{service.name}", f"Service {service.name}", text, rows)


def _promises(service: Watched) -> list[Panel]:
    good = x.availability(service)
    panels = [
        number(
            "Availability in 30 days",
            f"Share of the probes that succeeded; {service.availability:.2%} is promised.",
            "percentunit",
            Promql(good),
            Limits(service.availability - 0.005, service.availability, "high"),
        ),
        number(
            "Budget left: availability",
            "What may still fail this month: 100 % is untouched, below 0 the promise is broken.",
            "percentunit",
            Promql(x.budget_left(good, service.availability)),
            Limits(0, 0.25, "high"),
        ),
    ]
    if service.histogram and service.success is not None:
        failed = f'sum(increase({service.histogram}_count{{service="{service.name}", code=~"5.."}}[{x.BUDGET_WINDOW}]))'
        total = f'sum(increase({service.histogram}_count{{service="{service.name}"}}[{x.BUDGET_WINDOW}]))'
        good_requests = f"1 - ({failed} or vector(0)) / ({total} > 0)"
        panels.append(
            number(
                "Budget left: errors",
                f"What may still end with a server error this month; {service.success:.2%} must not.",
                "percentunit",
                Promql(x.budget_left(good_requests, service.success)),
                Limits(0, 0.25, "high"),
            )
        )
    if service.latency is not None:
        panels.append(
            number(
                "95th percentile now",
                f"Time within which 95 % are answered; {service.latency:g} s is promised.",
                "s",
                Promql(x.latency(service, 0.95)),
                Limits(service.latency * 0.8, service.latency),
            )
        )
    return panels


def _red(service: Watched) -> list[Panel]:
    durations: list[Query] = [Promql(x.latency(service, quantile), f"{quantile:.0%}") for quantile in (0.5, 0.95, 0.99)]
    what = "requests" if service.histogram else "probes of the health path"
    duration = graph("Duration", f"Time within which 50, 95 and 99 % of the {what} are answered.", "s", *durations)
    if service.histogram is None:
        text = "Share of the probes of the health path that fail; the image counts no requests."
        failed = f"1 - avg(probe_success{x.probes(service.name)})"
        return [graph("Failed probes", text, "percentunit", Promql(failed, "failed"), maximum=1), duration]
    return [
        graph("Rate", "Requests each second by status code.", "reqps", Promql(x.requests_by_code(service), "{{code}}")),
        graph("Errors", "Share of requests that end with a server error.", "percentunit", Promql(x.errors(service))),
        duration,
    ]


def _pods(service: Watched) -> list[Panel]:
    counts = [
        Promql(f"sum({x.of_deployment('kube_deployment_status_replicas_available', service.name)})", "ready"),
        Promql(f"sum({x.of_deployment('kube_deployment_spec_replicas', service.name)})", "wanted"),
    ]
    if service.autoscaled:
        selector = f'{{horizontalpodautoscaler="{service.name}"}}'
        counts.append(Promql(f"max(kube_horizontalpodautoscaler_spec_max_replicas{selector})", "most"))
    return [
        graph("Pods", "Ready, wanted, and the most that the autoscaler may make.", "none", *counts),
        graph(
            "Restarts",
            "Containers that ended and were started again, in an hour.",
            "none",
            Promql(x.restarts(f"{service.name}-.+", "1h"), "{{pod}}"),
        ),
    ]


def _logs(view: View, service: Watched) -> list[Panel]:
    selector = x.streams(view, service.name)
    return [
        graph("Lines", "Lines each second.", "short", Logql(x.log_lines(selector), "all")),
        graph(
            "Lines that report a failure", "As far as a line names its level.", "short", Logql(x.log_errors(selector))
        ),
        lines("Newest lines", "What its pods print and send.", selector),
    ]
