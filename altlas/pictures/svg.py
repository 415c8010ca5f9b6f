"""Draws a `altlas.pictures.diagram.Drawing` as SVG: layers from left to right, the same bytes each time.

Owns layout and looks. Pods that watch the others reach nearly all of them and are reached by many, so they have no
place in layers: they stand in a list below, each with what it reaches, and so do pods that reach nobody else. All
lengths are in pixels of the picture's own coordinates.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise
from textwrap import wrap

from altlas.pictures.diagram import Arrow, Drawing, Node

_WIDTH, _HEIGHT = 196, 58
_GAP_X, _GAP_Y = 112, 30
_LANE = 6
"""Height of the lane in which an arrow passes a layer."""
_MARGIN, _HEADER, _FOOTER = 36, 84, 60
_PADDING = 26
_SWEEPS = 12
_LINE, _ROW = 18, 72
"""Height of a line of text, and the least height of a row of the list."""
_LETTER = 7
"""Width of a letter of the list, on the average."""
_COLOURS = {
    "service": ("#e8f0fe", "#3b6fd4", "#1b3a75"),
    "store": ("#e9f6ec", "#3d9150", "#1d5230"),
    "observer": ("#fdf3e3", "#c98a1b", "#6b4708"),
    "outside": ("#f4f4f5", "#8b8d94", "#3c3e44"),
}
"""Fill, border and text of each kind of node."""
_LEGEND = (("service", "service"), ("store", "store"), ("observer", "watches"), ("outside", "outside the namespace"))


@dataclass(frozen=True)
class Place:
    """Where a node, or the lane of an arrow, is: its upper left corner, and how high it is."""

    x: float
    y: float
    height: float = _HEIGHT

    @property
    def right(self) -> tuple[float, float]:
        """Where arrows leave."""
        return self.x + _WIDTH, self.y + self.height / 2

    @property
    def left(self) -> tuple[float, float]:
        """Where arrows arrive."""
        return self.x, self.y + self.height / 2


def layers(drawing: Drawing) -> list[list[str]]:
    """Nodes and lanes by layer: each node stands to the right of all that reach it.

    Nodes of the namespace that nobody reaches (jobs) stand right before the first one that they reach themselves.
    """
    names = [node.name for node in drawing.nodes]
    depth = dict.fromkeys(names, 0)
    # As many rounds as there are nodes settle every graph without a cycle, and end one with a cycle.
    for _ in names:
        for arrow in drawing.arrows:
            depth[arrow.target] = min(max(depth[arrow.target], depth[arrow.source] + 1), len(names))
    reached = {arrow.target for arrow in drawing.arrows}
    for node in drawing.nodes:
        targets = [depth[arrow.target] for arrow in drawing.arrows if arrow.source == node.name]
        if node.kind != "outside" and node.name not in reached and targets:
            depth[node.name] = max(min(targets) - 1, 0)
    levels = {level: index for index, level in enumerate(sorted(set(depth.values())))}
    return _untangled({name: levels[depth[name]] for name in names}, drawing)


def way(arrow: Arrow, depth: Mapping[str, int]) -> list[str]:
    """What an arrow passes: its source, a lane in every layer between, and its target."""
    lanes = [f"{arrow.source} {arrow.target} {level}" for level in range(depth[arrow.source] + 1, depth[arrow.target])]
    return [arrow.source, *lanes, arrow.target]


def _untangled(depth: Mapping[str, int], drawing: Drawing) -> list[list[str]]:
    """Move each node and lane towards the middle of its neighbours, so that arrows cross less."""
    ordered = [[name for name in depth if depth[name] == level] for level in range(max(depth.values()) + 1)]
    neighbours: dict[str, set[str]] = {name: set() for name in depth}
    for arrow in drawing.arrows:
        passed = way(arrow, depth)
        for lane in passed[1:-1]:
            ordered[int(lane.rpartition(" ")[2])].append(lane)
        for one, other in pairwise(passed):
            neighbours.setdefault(one, set()).add(other)
            neighbours.setdefault(other, set()).add(one)
    for _ in range(_SWEEPS):
        for layer in ordered:
            position = {name: index - (len(each) - 1) / 2 for each in ordered for index, name in enumerate(each)}
            middles = {name: _mean([position[other] for other in neighbours[name]]) for name in layer}
            layer.sort(key=lambda name: (round(middles[name], 6), name))
    return ordered


def _mean(values: Iterable[float]) -> float:
    found = sorted(values)
    return sum(found) / len(found) if found else 0.0


def flows(drawing: Drawing) -> Drawing:
    """The part of a drawing that has layers: without those who watch, and without those who then reach nobody."""
    watching = {node.name for node in drawing.nodes if node.kind == "observer"}
    arrows = tuple(arrow for arrow in drawing.arrows if not watching & {arrow.source, arrow.target})
    connected = {name for arrow in arrows for name in (arrow.source, arrow.target)}
    return replace(drawing, nodes=tuple(node for node in drawing.nodes if node.name in connected), arrows=arrows)


def svg(drawing: Drawing) -> str:
    """The picture."""
    shown = flows(drawing)
    ordered, nodes = layers(shown), {node.name: node for node in shown.nodes}
    width = 2 * _MARGIN + len(ordered) * _WIDTH + (len(ordered) - 1) * _GAP_X
    body = max(_stack_height(layer, nodes) for layer in ordered)
    top = _HEADER + body + 2 * _PADDING + _GAP_Y
    listed, rows = _list([node for node in drawing.nodes if node.name not in nodes], drawing, top, width)
    height = top + rows + _FOOTER
    places = _places(ordered, nodes, body)
    depth = {name: level for level, layer in enumerate(ordered) for name in layer}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="Helvetica, Arial, DejaVu Sans, sans-serif">',
        f"<title>Who reaches whom in the stack {escape(drawing.stack)}</title>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L10 5 L0 10 z" fill="#5f6470"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        svg_text(_MARGIN, 38, f"ALT_LAS {drawing.stack}: who reaches whom", 20, "#1f2228", bold=True),
        svg_text(
            _MARGIN, 60, "Everything that is not drawn is denied. Numbers are TCP ports of the pods.", 13, "#5f6470"
        ),
        _namespace(shown, places, nodes),
        *(_arrow([places[name] for name in way(arrow, depth)]) for arrow in shown.arrows),
        *(_node(node, places[node.name], shown) for node in shown.nodes),
        *listed,
        _legend(height - _FOOTER / 2),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _list(nodes: Sequence[Node], drawing: Drawing, top: float, width: int) -> tuple[list[str], int]:
    """The rows below the layers, and how high they are together."""
    parts, height = [], 0
    left = _MARGIN + _WIDTH + _PADDING
    for node in nodes:
        lines = wrap(_reached(node, drawing), (width - left - _MARGIN) // _LETTER)
        row = max(_ROW, (len(lines) + 1) * _LINE)
        middle = top + height + row / 2
        parts.append(_node(node, Place(_MARGIN, middle - _HEIGHT / 2), drawing))
        first = middle - (len(lines) - 1) * _LINE / 2 + 4
        parts += [svg_text(left, first + index * _LINE, line, 13, "#3c3e44") for index, line in enumerate(lines)]
        height += row
    return parts, height


def _reached(node: Node, drawing: Drawing) -> str:
    """In words: whom a node reaches, and who reaches it."""
    to = [f"{arrow.target} {arrow.label}" for arrow in drawing.arrows if arrow.source == node.name]
    by = [arrow.source for arrow in drawing.arrows if arrow.target == node.name]
    found = [f"reaches {', '.join(to)}"] if to else ["reaches nobody else here"]
    return "; ".join([*found, *([f"reached by {', '.join(by)}"] if by else [])])


def _height(name: str, nodes: Mapping[str, Node]) -> int:
    return _HEIGHT if name in nodes else _LANE


def _stack_height(layer: Sequence[str], nodes: Mapping[str, Node]) -> int:
    return sum(_height(name, nodes) + _GAP_Y for name in layer) - _GAP_Y


def _places(ordered: Sequence[Sequence[str]], nodes: Mapping[str, Node], body: int) -> dict[str, Place]:
    places = {}
    for column, layer in enumerate(ordered):
        y = _HEADER + _PADDING + (body - _stack_height(layer, nodes)) / 2
        for name in layer:
            places[name] = Place(_MARGIN + column * (_WIDTH + _GAP_X), y, _height(name, nodes))
            y += _height(name, nodes) + _GAP_Y
    return places


def _namespace(drawing: Drawing, places: Mapping[str, Place], nodes: Mapping[str, Node]) -> str:
    inside = [place for name, place in places.items() if name not in nodes or nodes[name].kind != "outside"]
    left, top = min(p.x for p in inside) - _PADDING, min(p.y for p in inside) - _PADDING
    right, bottom = max(p.x for p in inside) + _WIDTH + _PADDING, max(p.y + p.height for p in inside) + _PADDING
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}" rx="14" fill="#fbfcfe" '
        f'stroke="#b9c2d3" stroke-dasharray="6 5"/>' + svg_text(left + 14, top - 8, drawing.namespace, 13, "#5f6470")
    )


def _arrow(way_points: Sequence[Place]) -> str:
    path = f"M{way_points[0].right[0]:g} {way_points[0].right[1]:g}"
    for one, other in pairwise(way_points):
        (x1, y1), (x2, y2) = one.right, other.left
        bend = _GAP_X / 2
        end = x2 - 2 if other is way_points[-1] else x2
        path += f" C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {end:g} {y2:g}"
        if other is not way_points[-1]:
            path += f" H{other.right[0]:g}"
    return f'<path d="{path}" fill="none" stroke="#5f6470" stroke-width="1.4" marker-end="url(#tip)"/>'


def _node(node: Node, place: Place, drawing: Drawing) -> str:
    fill, border, ink = _COLOURS[node.kind]
    middle = place.x + _WIDTH / 2
    detail = ", ".join(map(str, node.ports)) or _about(node.name, drawing)
    offset = -3 if detail else 5
    box = (
        f'<rect x="{place.x:g}" y="{place.y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="9" fill="{fill}" '
        f'stroke="{border}" stroke-width="1.4"/>'
    )
    title = svg_text(middle, place.y + _HEIGHT / 2 + offset, node.name, 14, ink, bold=True, anchor="middle")
    return box + title + svg_text(middle, place.y + _HEIGHT / 2 + 17, detail, 12, ink, anchor="middle")


def _about(name: str, drawing: Drawing) -> str:
    labels = {arrow.label for arrow in drawing.arrows if arrow.target == name}
    return ", ".join(sorted(labels))


def _legend(y: float) -> str:
    parts, x = [], float(_MARGIN)
    for kind, label in _LEGEND:
        fill, border, _ = _COLOURS[kind]
        parts.append(f'<rect x="{x:g}" y="{y - 11:g}" width="16" height="16" rx="4" fill="{fill}" stroke="{border}"/>')
        parts.append(svg_text(x + 24, y + 2, label, 13, "#3c3e44"))
        x += 60 + 8 * len(label)
    return "".join(parts)


def svg_text(
    x: float, y: float, text: str, size: int, colour: str, *, bold: bool = False, anchor: str = "start"
) -> str:
    """One line of text that begins at a point, or has it at its middle or end."""
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"{weight}>'
        f"{escape(text)}</text>"
    )
