"""Page with plots of a recording: ready and desired pods and usage of each service, and nodes, over time.

Owns the page. Does not own the record nor the judgement of it.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from altlas.pictures.html import Element, element, page, table
from tests.motion.recording import Event, Sample

_LEFT, _WIDTH, _TOP, _HEIGHT, _FOOT = 40, 860, 10, 110, 24

Steps = Sequence[tuple[float, int]]
"""Values over time, each from its second on."""


def motion_page(rows: Mapping[str, Sequence[Sample]], nodes: Steps, usage: Mapping[str, Steps], head: str) -> str:
    """The whole document.

    Args:
        rows: Samples of each workload.
        nodes: Number of nodes over time.
        usage: Millicores that the pods of each workload use over time; these workloads are shown.
        head: Line below the title.
    """
    begin = min(row[0].seconds for row in rows.values())
    end = max([row[-1].seconds for row in rows.values()] + [nodes[-1][0]])
    shown = {
        name: (
            [(each.seconds, each.ready) for each in rows[name]],
            [(each.seconds, each.desired) for each in rows[name]],
        )
        for name in usage
    }
    sections = [
        (
            name,
            f"{name}: ready pods (line) and desired pods (dashes); below, used millicores",
            [_plot(name, begin, end, ready, desired), _plot(f"millicores of {name}", begin, end, usage[name])],
        )
        for name, (ready, desired) in shown.items()
    ]
    sections.append(("nodes", "nodes", [_plot("nodes", begin, end, nodes)]))
    figures = [(name, *_figures(ready)) for name, (ready, _) in shown.items()]
    figures += [(f"millicores of {name}", *_figures(steps)) for name, steps in usage.items()]
    figures.append(("nodes", *_figures(nodes)))
    heading = ("what", "first", "least", "most", "last")
    sections.append(("figures", "figures", [table("Ready pods, usage and nodes", heading, figures)]))
    return page("Scaling in motion", sections, [element("p", head)])


def node_counts(events: Sequence[Event]) -> Steps:
    """Number of nodes after each change."""
    names, found = set[str](), list[tuple[float, int]]()
    for event in sorted(events, key=lambda each: each.version):
        if event.manifest["kind"] == "Node":
            name = event.manifest["metadata"]["name"]
            (names.discard if event.kind == "DELETED" else names.add)(name)
            if not found or found[-1][1] != len(names):
                found.append((event.seconds, len(names)))
    return found


def _figures(steps: Steps) -> tuple[str, ...]:
    values = [value for _, value in steps]
    return tuple(str(each) for each in (values[0], min(values), max(values), values[-1]))


def _plot(name: str, begin: float, end: float, solid: Steps, dashed: Steps = ()) -> Element:
    most = max(value for _, value in (*solid, *dashed)) or 1
    span = max(end - begin, 1)
    words = f"{name} over {span:.0f} seconds: from {_figures(solid)[1]} to {_figures(solid)[2]}"
    parts = [element("title", words)]
    for steps, dashes in ((solid, "none"), (dashed, "4 3")):
        if steps:
            line = " ".join(_points(steps, begin, end, most))
            drawn = {"stroke": "currentColor", "fill": "none", "stroke_dasharray": dashes}
            parts.append(element("polyline", points=line, **drawn))
    for text, x, y in (
        (str(most), 0, _TOP + 8),
        ("0", 0, _TOP + _HEIGHT),
        (f"{span:.0f} s", _LEFT + _WIDTH - 40, None),
    ):
        parts.append(element("text", text, x=str(x), y=str(y or _TOP + _HEIGHT + 16), class_="small"))
    size = f"0 0 {_LEFT + _WIDTH} {_TOP + _HEIGHT + _FOOT}"
    return element("svg", *parts, viewBox=size, role="img", aria_label=words, width=str(_LEFT + _WIDTH))


def _points(steps: Steps, begin: float, end: float, most: int) -> list[str]:
    """Corners of a line with steps, up to the end."""
    corners = [steps[0]]
    for (_, before), (second, value) in pairwise(steps):
        corners += [(second, before), (second, value)]
    corners.append((end, steps[-1][1]))
    span = max(end - begin, 1)
    return [
        f"{_LEFT + (max(second, begin) - begin) / span * _WIDTH:.1f},{_TOP + _HEIGHT * (1 - value / most):.1f}"
        for second, value in corners
    ]
