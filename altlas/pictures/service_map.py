"""Map of a stack's services and stores as SVG, from the allowed connections that `diagram` reads.

Layers from left to right in the direction of the calls. Not drawn are connections of the monitoring, which reach
nearly everything, and nodes without another connection; the table of connections has them all.
"""

from collections.abc import Iterable, Mapping, Sequence

from altlas.pictures.diagram import Arrow, Drawing, Node
from altlas.pictures.html import Element, element

_WIDTH, _HEIGHT, _ACROSS, _DOWN, _EDGE = 170, 44, 62, 20, 8
_SWEEPS = 4
"""Passes that order the nodes of each layer by their neighbours; more change nothing on maps of this size."""


def service_map(drawing: Drawing) -> Element:
    """The map as a picture."""
    hidden = {node.name for node in drawing.nodes if node.kind == "monitoring"}
    arrows = [each for each in drawing.arrows if not hidden & {each.source, each.target}]
    linked = {name for each in arrows for name in (each.source, each.target)}
    nodes = [node for node in drawing.nodes if node.name in linked]
    layers = _ordered(_layers([node.name for node in nodes], arrows), arrows)
    places = _places(layers)
    right = max((x for x, _ in places.values()), default=0) + _WIDTH + _EDGE
    below = max((y for _, y in places.values()), default=0) + _HEIGHT + _EDGE
    title = f"Service map of {drawing.stack}: {len(nodes)} nodes, {len(arrows)} connections; the table below lists them"
    tip = element("path", d="M 0 0 L 8 4 L 0 8 z", class_="tip")
    marker = element("marker", tip, id="tip", viewBox="0 0 8 8", refX="8", refY="4", markerWidth="7", markerHeight="7")
    marker.set("orient", "auto")
    return element(
        "svg",
        element("title", title),
        element("defs", marker),
        *(_arrow(places[each.source], places[each.target]) for each in arrows),
        *(part for node in nodes for part in _box(node, *places[node.name])),
        viewBox=f"0 0 {right} {below}",
        width=str(right),
        role="img",
        aria_label=title,
    )


def _layers(names: Sequence[str], arrows: Iterable[Arrow]) -> list[list[str]]:
    """Names by the longest way to them; one that nobody calls stands right before what it calls."""
    links = [(each.source, each.target) for each in arrows]
    depth = dict.fromkeys(names, 0)
    for _ in names:  # a circle ends here too
        for source, target in links:
            depth[target] = max(depth[target], min(depth[source] + 1, len(names)))
    called = {target for _, target in links}
    first = min((depth[each] for each in names), default=0)
    for name in names:
        targets = [depth[target] for source, target in links if source == name]
        if name not in called and targets:
            depth[name] = max(first, min(targets) - 1)
    found = [[name for name in names if depth[name] == each] for each in sorted(set(depth.values()))]
    return [each for each in found if each]


def _ordered(layers: list[list[str]], arrows: Sequence[Arrow]) -> list[list[str]]:
    """The layers; in each, a node stands at the height of its neighbours."""
    neighbours: dict[str, list[str]] = {name: [] for layer in layers for name in layer}
    for each in arrows:
        neighbours[each.source].append(each.target)
        neighbours[each.target].append(each.source)
    height = {name: (number + 0.5) / len(layer) for layer in layers for number, name in enumerate(layer)}
    for _ in range(_SWEEPS):
        for layer in layers:
            wanted = {name: sum(height[each] for each in neighbours[name]) / len(neighbours[name]) for name in layer}
            layer.sort(key=lambda name: (wanted[name], name))
            height |= {name: (number + 0.5) / len(layer) for number, name in enumerate(layer)}
    return layers


def _places(layers: Sequence[Sequence[str]]) -> dict[str, tuple[float, float]]:
    """Left upper corner of each node; a layer stands in the middle of the height."""
    tallest = max((len(layer) for layer in layers), default=0)
    row = _HEIGHT + _DOWN
    return {
        name: (_EDGE + column * (_WIDTH + _ACROSS), _EDGE + ((tallest - len(layer)) / 2 + number) * row)
        for column, layer in enumerate(layers)
        for number, name in enumerate(layer)
    }


def _arrow(source: tuple[float, float], target: tuple[float, float]) -> Element:
    x1, y1 = source[0] + _WIDTH, source[1] + _HEIGHT / 2
    x2, y2 = target[0], target[1] + _HEIGHT / 2
    bend = max(_ACROSS / 2, (x2 - x1) / 3)
    way = f"M {x1:g} {y1:g} C {x1 + bend:g} {y1:g}, {x2 - bend:g} {y2:g}, {x2:g} {y2:g}"
    return element("path", d=way, class_="arrow", marker_end="url(#tip)")


def _box(node: Node, x: float, y: float) -> list[Element]:
    rounded = {"service": "3", "store": "12", "outside": "22"}
    ports = f"{node.kind}, port {', '.join(map(str, node.ports))}" if node.ports else node.kind
    middle = f"{x + _WIDTH / 2:g}"
    return [
        element(
            "rect",
            x=f"{x:g}",
            y=f"{y:g}",
            width=str(_WIDTH),
            height=str(_HEIGHT),
            rx=rounded[node.kind],
            class_=f"box {node.kind}",
        ),
        element("text", node.name, x=middle, y=f"{y + 19:g}", text_anchor="middle"),
        element("text", ports, x=middle, y=f"{y + 34:g}", text_anchor="middle", class_="small"),
    ]


def connection_rows(before: Drawing | None, after: Drawing) -> list[tuple[str, str, str, str]]:
    """Rows of the table of all connections: source, target, ports, and the change from before."""
    old: Mapping[tuple[str, str], str] = {(a.source, a.target): a.label for a in before.arrows} if before else {}
    new = {(a.source, a.target): a.label for a in after.arrows}
    rows = []
    for source, target in sorted(old.keys() | new.keys()):
        one, other = old.get((source, target)), new.get((source, target))
        change = (
            ""
            if before is None or one == other
            else "new"
            if one is None
            else "removed"
            if other is None
            else f"was {one}"
        )
        rows.append((source, target, other or one or "", change))
    return rows
