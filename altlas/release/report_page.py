"""The report about a release as one HTML file: sections over what `report` holds, most important ones first."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC

from altlas.pictures.bars import Bar, chart
from altlas.pictures.html import Content, Element, element, page, table
from altlas.pictures.service_map import connection_rows, service_map
from altlas.preflight.nodes import total
from altlas.release.capacity import Capacity
from altlas.release.ledger_text import what
from altlas.release.report import DAYS, ReleaseReport
from altlas.release.settings_diff import shown
from altlas.release.steps import ObjectStep, is_dangerous
from altlas.release.text import (
    LOAD_HEADINGS,
    effort,
    load_rows,
    object_lines,
    outage_rows,
    step_name,
    subject,
    summary,
)
from components.kubernetes.load import Amount

_CORES, _GIBIBYTES = 1000, 1024
_AMOUNTS: tuple[tuple[str, str, Callable[[Amount], float]], ...] = (
    ("CPU", "cores", lambda amount: amount.cpu / _CORES),
    ("memory", "GiB", lambda amount: amount.memory / _GIBIBYTES),
)
_NEWEST = 50
"""Entries of the ledger that a report lists."""
Section = tuple[str, str, Sequence[Content]]


def as_html(found: ReleaseReport) -> str:
    """The report as a whole document."""
    sections = [_first(found), _map(found), _steps(found), *_settings(found), _capacity(found), *_times(found)]
    sections += [_approvals(found), _ledger(found), _delivery(found)]
    made = found.made.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    head = [
        element("p", summary(found.change) if found.change else _of(found)),
        element("p", f"Made {made}.", class_="quiet"),
    ]
    return page(f"Release report of the stack {found.stack}", sections, head)


def _of(found: ReleaseReport) -> str:
    if found.plan is None:
        return "The stack as this checkout renders it, without a change."
    plan = found.plan.plan
    return (
        f"Plan {plan.digest}: {plan.kind} on {plan.target}, number of steps {len(plan.steps)}, expires {plan.expires}."
    )


def _first(found: ReleaseReport) -> Section:
    rows = [(subject(step), step_name(step), effort(step)) for step in found.steps if is_dangerous(step)]
    if not rows:
        text = "Every step can be taken back by its inverse; nothing is deleted or replaced."
        return "first", "Look at these first", [element("p", text if found.steps else "There is no step.")]
    caption = f"{len(rows)} of {len(found.steps)} steps delete, replace, or are not taken back by their inverse"
    return "first", "Look at these first", [table(caption, ("object or setting", "step", "to undo"), rows)]


def _map(found: ReleaseReport) -> Section:
    before, after = (found.maps[0] if len(found.maps) > 1 else None), found.maps[-1]
    text = (
        "Boxes with round corners and a thick line are stores, dashed ones are outside of the platform. Connections of "
        "the monitoring, and nodes without others, are in the table only."
    )
    picture = element("figure", service_map(after), element("figcaption", text))
    headings = ("from", "to", "TCP port", "change")[: 3 if before is None else 4]
    rows = [row[: len(headings)] for row in connection_rows(before, after)]
    caption = f"Allowed connections of {after.stack}; all others are denied"
    whole = element("details", element("summary", "All connections"), table(caption, headings, rows))
    return "map", "Service map", [picture, whole]


def _steps(found: ReleaseReport) -> Section:
    objects = found.objects
    rows = [(step.object.title, step_name(step), effort(step), _seconds(found, step)) for step in objects]
    headings = ("object", "step", "to undo", "no answer for")
    if not rows:
        return "steps", "Steps", [element("p", "No object changes.")]
    caption = f"{len(rows)} objects, in the order of the list that is applied"
    fields = [_object(step) for step in objects]
    return "steps", "Steps", [table(caption, headings, rows), element("h3", "Field by field"), *fields]


def _seconds(found: ReleaseReport, step: ObjectStep) -> str:
    """Time without an answer of the workload that a step restarts."""
    outages = found.change.outages if found.change else ()
    known = [each.figure.seconds for each in outages if each.title == step.object.title]
    return "" if not known else "unknown" if known[0] is None else f"{known[0]:g} s"


def _settings(found: ReleaseReport) -> Iterator[Section]:
    if found.change is None:
        return
    stays = [(each, f"{each.decision}, stays with its stack") for each in found.change.identity]
    rows = [
        (each.field, kind, shown(each.before), shown(each.after), effort(each))
        for each, kind in [*stays, *((each, str(each.decision)) for each in found.change.settings)]
    ]
    headings = ("setting", "class", "from", "to", "to undo")
    notes = element("ul", *(element("li", f"{each}.") for each in found.change.notes))
    parts = [table(f"{len(rows)} settings differ", headings, rows), element("h3", "Not known here"), notes]
    yield "settings", "Settings", parts


def _object(step: ObjectStep) -> Element:
    first, *fields = object_lines(step)
    title = f"{step_name(step)}: {first.strip()}"
    if not fields:
        return element("p", title)
    return element("details", element("summary", title), element("pre", "\n".join(line[6:] for line in fields)))


def _capacity(found: ReleaseReport) -> Section:
    content = [part for each in found.capacities for part in _one_capacity(each)]
    if found.change:
        content.append(table("Load of all pods and volumes", ("amount", *LOAD_HEADINGS[1:]), load_rows(found.change)))
    return "capacity", "Capacity", content


def _one_capacity(each: Capacity) -> Iterator[Content]:
    yield element("h3", f"Capacity of {each.stack}")
    if each.nodes:
        rows = [(scale, "yes" if fits else element("span", "NO", class_="over")) for scale, fits in each.fits.items()]
        yield table(f"Fits {len(each.nodes)} nodes", ("scale", "fits"), rows)
    else:
        yield element("p", "Nodes are not known: name them by --nodes 3x4x16.")
    yield from (_requests(each, *amount) for amount in _AMOUNTS)
    yield from _growth(each)
    uses = [
        (use.what, f"{use.used:g}{use.unit}", f"{use.limit:g}{use.unit}", "yes" if use.fits else "NO")
        for use in each.uses
    ]
    yield table(
        f"Connections, volumes and quotas of {each.stack} at the largest scale", ("use", "used", "of", "suffices"), uses
    )


def _requests(each: Capacity, name: str, unit: str, read: Callable[[Amount], float]) -> Element:
    """Requests at three scales as bars, with a line at what the nodes have."""
    load, limit = each.load, read(total(each.nodes)) if each.nodes else None
    scales = {"at rest": load.rest, "during an update": load.update, "at maximum scale": load.peak}
    bars = [_bar(scale, read(amount.requests), unit, limit) for scale, amount in scales.items()]
    title = f"Requests of {name} of {each.stack}"
    return element(
        "figure", chart(title, bars, limit, f"all nodes: {limit or 0:.1f} {unit}"), element("figcaption", title)
    )


def _bar(scale: str, value: float, unit: str, limit: float | None) -> Bar:
    is_over = limit is not None and value > limit
    return Bar(scale, value, f"{value:.1f} {unit}{', TOO MUCH' if is_over else ''}", is_over)


def _growth(each: Capacity) -> Iterator[Content]:
    if not each.limits:
        return
    bars = [Bar(limit.what, limit.factor, f"{limit.factor:.2f} times", limit.factor < 1) for limit in each.limits]
    title = f"What gives way first when the load of {each.stack} grows, in multiples of the load at rest"
    yield element(
        "figure", chart(title, bars, 1.0, "load at rest"), element("figcaption", f"{title}; the first one first.")
    )


def _times(found: ReleaseReport) -> Iterator[Section]:
    if found.change and (rows := outage_rows(found.change)):
        headings = ("workload", "no answer for", "source")
        yield "restarts", "Restarts", [table("Workloads whose pods are replaced", headings, rows)]


def _approvals(found: ReleaseReport) -> Section:
    if found.plan is None:
        text = "Approvals belong to a plan: altlas plan, then altlas report FILE --plan PLAN."
        return "approvals", "Approvals", [element("p", text)]
    plan = found.plan.plan
    needed = (
        f"{len(found.signatures)} of {plan.approvals} needed approvals; classes: {', '.join(plan.classes) or 'none'}"
    )
    rows = [
        (each.who or "unknown", each.key, "holds" if not each.problem else f"DOES NOT HOLD: {each.problem}")
        for each in found.signatures
    ]
    made = element("p", f"Made {plan.created} by {plan.authors[0]}; no author may approve it.")
    return (
        "approvals",
        "Approvals",
        [made, table(needed, ("approver", "key", "signature"), rows) if rows else element("p", f"{needed}.")],
    )


def _ledger(found: ReleaseReport) -> Section:
    entries = found.ledger.entries
    if not entries and not found.ledger.problem:
        return "ledger", "Ledger", [element("p", "It has no entry yet.")]
    state = (
        element("p", f"DAMAGED: {found.ledger.problem}.", class_="over")
        if found.ledger.problem
        else element(
            "p",
            f"{len(entries)} entries; each follows from the one before it. Head ",
            element("code", entries[-1].hash),
        )
    )
    rows = [(str(each.number), each.time, each.kind, each.by, what(each)) for each in entries[: -_NEWEST - 1 : -1]]
    caption = f"The newest {len(rows)} of {len(entries)} entries, newest first"
    return "ledger", "Ledger", [state, table(caption, ("entry", "time", "kind", "by", "what"), rows)]


def _delivery(found: ReleaseReport) -> Section:
    runs = [
        (
            str(each.number),
            each.began.isoformat(timespec="seconds"),
            f"{(each.ended - each.began).total_seconds():g} s" if each.ended else "never ended",
            each.reason,
            each.result,
        )
        for each in reversed(found.delivered[-_NEWEST:])
    ]
    figures = [(each.name, each.text, str(each.cases), each.definition) for each in found.figures]
    parts: list[Content] = [
        table(f"DORA's five metrics over {DAYS} days", ("metric", "figure", "cases", "definition"), figures)
    ]
    if runs:
        parts.append(table("Deployments, newest first", ("entry", "began", "took", "reason", "result"), runs))
    return "delivery", "Delivery", parts
