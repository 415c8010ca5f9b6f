"""Page that shows the layout of a dashboard as a Mermaid block diagram, read from the JSON that Grafana reads.

It is the generated layout, not a screenshot: no Grafana ran.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NOTICE = "<!-- Written by `altlas stack diagram`; a test compares it with what the program renders. -->"
_COLUMNS = 24
"""Columns of Grafana's grid."""


def dashboard_page(document: Mapping[str, Any]) -> str:
    """The page of a dashboard, in Markdown."""
    return f"""{NOTICE}

# {document["title"]}

The layout of the dashboard as it is generated, each panel with its kind, unit and number of queries. Heights are not
drawn. Grafana itself not proven here.

```mermaid
{block_diagram(document["panels"])}```
"""


def block_diagram(panels: Sequence[Mapping[str, Any]]) -> str:
    """The panels on Grafana's grid as a Mermaid block diagram, the same text each time."""
    return "\n".join(["block-beta", f"  columns {_COLUMNS}", *_blocks(panels)]) + "\n"


def _blocks(panels: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    column = 0
    ordered = sorted(panels, key=lambda panel: (panel["gridPos"]["y"], panel["gridPos"]["x"]))
    for number, panel in enumerate(ordered):
        grid = panel["gridPos"]
        gap = (grid["x"] - column) % _COLUMNS
        if gap:
            yield f"  space:{gap}"
        yield f'  panel{number}["{_text(panel)}"]:{grid["w"]}'
        column = (grid["x"] + grid["w"]) % _COLUMNS


def _text(panel: Mapping[str, Any]) -> str:
    title = str(panel["title"]).replace('"', "#quot;")
    if panel["type"] == "row":
        return title
    unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "")
    queries = len(panel["targets"])
    kind = ", ".join(filter(None, (panel["type"], unit, f"{queries} {'query' if queries == 1 else 'queries'}")))
    return f"{title}<br/>{kind}"
