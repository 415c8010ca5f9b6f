"""The few kinds of panels that dashboards are made of, on top of grafana-foundation-sdk.

Widths are columns of a grid of 24, heights are its rows of 30 pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    logs,
    loki,
    nodegraph,
    prometheus,
    stat,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

Panel = Builder[models.Panel]
_Kind = TypeVar("_Kind", timeseries.Panel, stat.Panel, logs.Panel, nodegraph.Panel)

PROMETHEUS = models.DataSourceRef(type_val="prometheus", uid="prometheus")
LOKI = models.DataSourceRef(type_val="loki", uid="loki")
_WHOLE_WIDTH = 24
_GREEN, _YELLOW, _RED = "green", "yellow", "red"


@dataclass(frozen=True)
class _Expression:
    """A query.

    Attributes:
        expression: The query.
        legend: Name of each series, with labels in double braces.
    """

    expression: str
    legend: str = ""


class Promql(_Expression):
    """A query to Prometheus."""


class Logql(_Expression):
    """A query to Loki that makes numbers of lines."""


Query = Promql | Logql


@dataclass(frozen=True)
class Limits:
    """Limits at which a number turns yellow and red.

    Attributes:
        warning: First value that is yellow.
        critical: First value that is red.
        good: Whether high values are the good ones; then the colours stand the other way round.
    """

    warning: float
    critical: float
    good: Literal["low", "high"] = "low"

    def steps(self) -> list[models.Threshold]:
        """The steps as Grafana wants them, the lowest without a value."""
        first, middle, last = (_GREEN, _YELLOW, _RED) if self.good == "low" else (_RED, _YELLOW, _GREEN)
        low, high = sorted((self.warning, self.critical))
        return [
            models.Threshold(value=None, color=first),
            models.Threshold(value=low, color=middle),
            models.Threshold(value=high, color=last),
        ]


def graph(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 12,
    height: int = 8,
    maximum: float | None = None,
) -> Panel:
    """Numbers over time."""
    panel = (
        _placed(timeseries.Panel().title(title).description(description), _source(queries[0]), width, height)
        .unit(unit)
        .min(0)
        .fill_opacity(10)
        .show_points(common_models.VisibilityMode.NEVER)
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs([])
        )
    )
    if maximum is not None:
        panel = panel.max(maximum)
    for index, query in enumerate(queries):
        panel = panel.with_target(_target(query, index, instant=False))
    return panel


def number(
    title: str,
    description: str,
    unit: str,
    query: Query,
    limits: Limits | None = None,
    *,
    width: int = 6,
    height: int = 4,
) -> Panel:
    """One number, or one for each series, as it is now."""
    steps = limits.steps() if limits else [models.Threshold(value=None, color=_GREEN)]
    return (
        _placed(stat.Panel().title(title).description(description), _source(query), width, height)
        .unit(unit)
        .no_value("no data")
        .color_mode(common_models.BigValueColorMode.VALUE)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        .with_target(_target(query, 0, instant=True))
    )


def lines(title: str, description: str, expression: str, *, height: int = 12) -> Panel:
    """Log lines, the newest first."""
    query = loki.Dataquery().expr(expression).ref_id("A").datasource(LOKI).query_type("range")
    return (
        _placed(logs.Panel().title(title).description(description), LOKI, _WHOLE_WIDTH, height)
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(common_models.LogsSortOrder.DESCENDING)
        .with_target(query)
    )


def service_map(title: str, description: str, nodes: str, edges: str, *, height: int = 14) -> Panel:
    """Map of calls: `nodes` gives the label `id` and a number, `edges` the labels `id`, `source` and `target`."""
    rename = models.DataTransformerConfig(
        id_val="organize",
        options={"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {"Value": "mainstat"}},
    )
    panel = _placed(nodegraph.Panel().title(title).description(description), PROMETHEUS, _WHOLE_WIDTH, height)
    for name, expression in (("nodes", nodes), ("edges", edges)):
        query = _promql(expression).ref_id(name).instant().format(prometheus_models.PromQueryFormat.TABLE)
        panel = panel.with_target(query)
    return panel.with_transformation(rename)


def _placed(panel: _Kind, source: models.DataSourceRef, width: int, height: int) -> _Kind:
    """A panel with its datasource and its place; the kinds of the SDK have no class in common."""
    return panel.datasource(source).span(width).height(height)


def _source(query: Query) -> models.DataSourceRef:
    return PROMETHEUS if isinstance(query, Promql) else LOKI


def _promql(expression: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expression).datasource(PROMETHEUS)


def _target(query: Query, index: int, *, instant: bool) -> prometheus.Dataquery | loki.Dataquery:
    reference = chr(ord("A") + index)
    if isinstance(query, Promql):
        target = _promql(query.expression).ref_id(reference).legend_format(query.legend)
        return target.instant() if instant else target.range()
    kind = "instant" if instant else "range"
    return (
        loki.Dataquery()
        .expr(query.expression)
        .ref_id(reference)
        .legend_format(query.legend)
        .datasource(LOKI)
        .query_type(kind)
    )


def board(uid: str, title: str, description: str, rows: Sequence[tuple[str, Sequence[Panel]]]) -> dashboard.Dashboard:
    """A dashboard that nobody can change in Grafana, made of titled rows of panels."""
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["alt-las"])
        .readonly()
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("utc")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Platform")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["alt-las"])
            .as_dropdown(True)
            .keep_time(True)
        )
    )
    for name, panels in rows:
        made = made.with_row(dashboard.Row(name))
        for panel in panels:
            made = made.with_panel(panel)
    return made
