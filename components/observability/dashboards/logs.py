"""The dashboard of logs: who prints how much, who reports failures, and the lines themselves."""

from grafana_foundation_sdk.builders.dashboard import CustomVariable, Dashboard, TextBoxVariable
from grafana_foundation_sdk.models.dashboard import VariableOption

from components.observability.dashboards import expressions as x
from components.observability.dashboards.panels import Logql, Panel, board, graph, lines
from components.observability.dashboards.view import View

SERVICE, SEARCH = "service", "search"
"""Variables of the dashboard: a regular expression of services, and text to search for."""


def logs_board(view: View) -> Dashboard:
    """All logs of the stack, by service and text."""
    rows = [("How much", _amounts(view)), ("Lines", _lines(view))]
    made = board("alt-las-logs", "Logs", f"What the pods of the stack {view.stack} print and send.", rows)
    names = [service.name for service in view.services]
    every = VariableOption(text="All", value="$__all", selected=True)
    return made.with_variable(
        CustomVariable(SERVICE)
        .label("Service")
        .values(",".join([*names, *view.stores]))
        .current(every)
        .include_all(True)
        .all_value(".+")
        .multi(True)
    ).with_variable(
        TextBoxVariable(SEARCH).label("Text").description("Text that a line must contain; case does not matter.")
    )


def _chosen(view: View) -> str:
    return f'{{phase="{view.stack}", service=~"${SERVICE}"}}'


def _amounts(view: View) -> list[Panel]:
    selector = _chosen(view)
    return [
        graph("Lines", "Each second, by service.", "short", Logql(x.log_lines(selector), "{{service}}"), width=8),
        graph("Bytes", "Each second, by service.", "Bps", Logql(x.log_bytes(selector), "{{service}}"), width=8),
        graph(
            "Lines that report a failure",
            "Each second, by service, as far as a line names its level.",
            "short",
            Logql(x.log_errors(selector), "{{service}}"),
            width=8,
        ),
    ]


def _lines(view: View) -> list[Panel]:
    text = "The newest first; choose services and text above."
    return [lines("Newest lines", text, f"{_chosen(view)} |~ `(?i)${SEARCH}`", height=18)]
