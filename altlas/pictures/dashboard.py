"""Draws the layout of a dashboard as SVG: the panels on their grid with what they show, the same bytes each time.

Made from the JSON that Grafana reads. It is the generated layout, not a screenshot: no Grafana ran. All lengths are in
pixels of the picture's own coordinates.
"""

from collections.abc import Mapping
from html import escape
from typing import Any

from altlas.pictures.svg import svg_text

CAPTION = "Generated layout; Grafana itself not proven here."
_COLUMN, _ROW = 46, 22
_COLUMNS = 24
_MARGIN, _HEADER, _FOOTER = 24, 70, 40
_GAP = 4
_INK, _FAINT, _LINE = "#1f2228", "#5f6470", "#c9ccd3"
_FILLS = {"row": "#eceef2", "stat": "#e9f6ec", "nodeGraph": "#fdf3e3", "logs": "#f4f4f5"}
_CHARACTER = 6.6
"""Width of a character of a title, on the average."""


def layout(document: Mapping[str, Any]) -> str:
    """The picture of a dashboard."""
    panels = document["panels"]
    height = _HEADER + _ROW * max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in panels) + _FOOTER
    width = 2 * _MARGIN + _COLUMN * _COLUMNS
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="Helvetica, Arial, DejaVu Sans, sans-serif">',
        f"<title>{escape(document['title'])}: the generated layout</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        svg_text(_MARGIN, 34, document["title"], 20, _INK, bold=True),
        svg_text(_MARGIN, 54, document["description"], 13, _FAINT),
        *(_panel(each) for each in panels),
        svg_text(_MARGIN, height - 14, CAPTION, 13, _FAINT),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(panel: Mapping[str, Any]) -> str:
    grid, kind = panel["gridPos"], panel["type"]
    x, y = _MARGIN + grid["x"] * _COLUMN, _HEADER + grid["y"] * _ROW
    width, height = grid["w"] * _COLUMN - _GAP, grid["h"] * _ROW - _GAP
    box = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" fill="{_FILLS.get(kind, "#ffffff")}" '
    parts = [f'{box}stroke="{_LINE}"/>', svg_text(x + 8, y + 16, _cut(panel["title"], width), 12, _INK, bold=True)]
    if kind != "row":
        unit = panel["fieldConfig"]["defaults"].get("unit", "") if "fieldConfig" in panel else ""
        what = " · ".join(filter(None, (kind, unit, f"{len(panel['targets'])} queries")))
        parts.append(svg_text(x + 8, y + 32, _cut(what.replace("1 queries", "1 query"), width), 11, _FAINT))
    if kind == "timeseries":
        left, right, bottom, top = x + 12, x + width - 12, y + height - 12, y + 46
        parts.append(f'<path d="M{left} {top} V{bottom} H{right}" fill="none" stroke="{_LINE}"/>')
    return "".join(parts)


def _cut(text: str, width: int) -> str:
    most = int((width - 16) / _CHARACTER)
    return text if len(text) <= most else f"{text[: most - 1]}…"
