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
    budgets = [
        number(
            f"Budget left: {kind}",
            f"What may still go wrong: 100 % is untouched, below 0 the promise is broken. {promise}",
            "percentunit",
            Promql(x.budget_left(service, kind)),
            Limits(0, 0.25, "high"),
        )
        for kind, promise in _kinds(service).items()
    ]
    day = number(
        "Availability in a day",
        f"Share of the probes that succeeded; {service.availability:.2%} is promised.",
        "percentunit",
        Promql(f"1 - {x.errors_of(service, 'availability', '1d')}"),
        Limits(service.availability - 0.005, service.availability, "high"),
    )
    return [day, *budgets]


def _kinds(service: Watched) -> dict[str, str]:
    """Promises of a service in words, by kind of objective."""
    kinds = {"availability": f"{service.availability:.2%} of the probes must succeed."}
    if service.latency is not None:
        kinds["latency"] = f"Answers must come within {service.latency:g} s."
    if service.success is not None:
        kinds["success"] = f"{service.success:.2%} of the requests must not end with a server error."
    return kinds


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
