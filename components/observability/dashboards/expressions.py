"""PromQL and LogQL of the dashboards. Names and labels of metrics stand here and nowhere else.

A query on a metric that nobody exports is refused when the dashboards are made.
"""

from collections.abc import Iterable, Sequence

from components.observability.alerts.slo import BUDGET_REMAINING, ERRORS
from components.observability.dashboards.view import View, Watched
from components.observability.metrics.monitors import HEALTH_JOB

_ERROR_LEVELS = "error|fatal|critical"


def union(expressions: Iterable[str]) -> str:
    """All series of several expressions."""
    return " or ".join(expressions)


def constant(labels: dict[str, str]) -> str:
    """A series of the value 1 with fixed labels."""
    expression = "vector(1)"
    for name, value in labels.items():
        expression = f'label_replace({expression}, "{name}", "{value}", "", "")'
    return expression


def delivery(metric: str, stack: str) -> str:
    """Figure of a stack's ledger as it was last sent: it is sent after a release, and not again and again."""
    return f'last_over_time(alt_las_delivery_{metric}{{stack="{stack}"}}[7d])'


def probes(service: str | None = None) -> str:
    """Selector of the probes of one service's health path, or of all of them."""
    of_service = f', service="{service}"' if service else ""
    return f'{{job="{HEALTH_JOB}"{of_service}}}'


def errors_of(service: Watched, kind: str, window: str) -> str:
    """Share of a service's answers that break a promise, as the rules record it."""
    return f'max({ERRORS}{window}{{service="{service.name}", slo="{kind}"}})'


def budget_left(service: Watched, kind: str) -> str:
    """Rest of an error budget, as the rules record it: 1 is all of it, below 0 the promise is broken."""
    return f'max({BUDGET_REMAINING}{{service="{service.name}", slo="{kind}"}})'


def requests(service: Watched, matchers: str = "") -> str:
    """Requests each second, for a service that counts them."""
    return f'sum(rate({service.histogram}_count{{service="{service.name}"{matchers}}}[$__rate_interval]))'


def requests_by_code(service: Watched) -> str:
    """Requests each second by status code, for a service that counts them."""
    return f'sum by (code) (rate({service.histogram}_count{{service="{service.name}"}}[$__rate_interval]))'


def errors(service: Watched) -> str:
    """Share of the requests that end with a server error; 0 without requests."""
    failed = requests(service, ', code=~"5.."')
    return f"({failed} or vector(0)) / ({requests(service)} > 0) or vector(0)"


def latency(service: Watched, quantile: float) -> str:
    """Seconds within which a share of the requests is answered; of the probes where the service counts none."""
    if service.histogram is None:
        return f"quantile_over_time({quantile}, probe_duration_seconds{probes(service.name)}[$__rate_interval])"
    rate = f'rate({service.histogram}_bucket{{service="{service.name}"}}[$__rate_interval])'
    return f"histogram_quantile({quantile}, sum by (le) ({rate})) / 1000"


def of_deployment(metric: str, name: str) -> str:
    """A metric of kube-state-metrics about one Deployment."""
    return f'{metric}{{deployment="{name}"}}'


def restarts(pods: str, window: str) -> str:
    """Restarts of containers within a window, by pod.

    Args:
        pods: Regular expression of the pods' names.
        window: Length of the window, such as 1h.
    """
    return f'sum by (pod) (increase(kube_pod_container_status_restarts_total{{pod=~"{pods}"}}[{window}]))'


def map_nodes(view: View) -> str:
    """One series for each node of the service map: 1 where it answers, with the label `id`."""
    services = [
        f'label_replace(min(probe_success{probes(each.name)}), "id", "{each.name}", "", "")' for each in view.services
    ]
    stores = {
        "postgres": "min(cnpg_collector_up)",
        "redis": "min(redis_up)",
        "nats": "1 - max(jetstream_server_jetstream_disabled)",
    }
    own = [f'label_replace({stores[name]}, "id", "{name}", "", "")' for name in view.stores]
    nodes = union([*services, *own])
    return f'label_replace({nodes}, "title", "$1", "id", "(.+)")' if nodes else constant({"id": view.stack})


def map_edges(calls: Sequence[tuple[str, str]]) -> str:
    """One series for each call of the service graph, with the labels `id`, `source` and `target`."""
    edges = [constant({"id": f"{a}-{b}", "source": a, "target": b}) for a, b in calls]
    return union(edges)


def log_lines(selector: str) -> str:
    """Lines each second by service."""
    return f"sum by (service) (rate({selector} [$__auto]))"


def log_errors(selector: str) -> str:
    """Lines each second that say that something failed, by service."""
    return f'sum by (service) (rate({selector} | detected_level=~"{_ERROR_LEVELS}" [$__auto]))'


def log_bytes(selector: str) -> str:
    """Bytes of lines each second by service."""
    return f"sum by (service) (bytes_rate({selector} [$__auto]))"


def streams(view: View, service: str | None = None) -> str:
    """Selector of the streams of a stack, or of one of its services."""
    of_service = f', service="{service}"' if service else ""
    return f'{{phase="{view.stack}"{of_service}}}'
