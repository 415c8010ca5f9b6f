"""A change as text for a terminal: what to look at first, settings, objects field by field, consequences."""

import difflib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from altlas.release.settings_diff import as_text as settings_text
from altlas.release.stack_change import StackChange
from altlas.release.steps import ChangeSetting, FieldChange, ObjectStep, RenameObject, Step, is_dangerous
from altlas.session.table import table_text
from components.kubernetes.load import Load

MARKS = {"create": "+", "update": "~", "rename": ">", "replace": "!", "delete": "-"}
"""Sign of a step in front of its object."""

PAST = {
    "create": "created",
    "update": "changed",
    "rename": "renamed",
    "replace": "replaced",
    "delete": "deleted",
}
FIRST_HEADING = "Servers of stores change in steps, before all else; by `altlas up`, because no plan holds them"
LOAD_HEADINGS = ("", "at rest", "during an update", "at maximum scale")
_SHOWN = 100
_CORES, _GIBIBYTES = 1000, 1024
_AMOUNTS: dict[str, Callable[[Load], str]] = {
    "pods": lambda load: str(load.pods),
    "requests, cores": lambda load: f"{load.requests.cpu / _CORES:.2f}",
    "requests, GiB": lambda load: f"{load.requests.memory / _GIBIBYTES:.1f}",
    "limits, cores": lambda load: f"{load.limits.cpu / _CORES:.2f}",
    "limits, GiB": lambda load: f"{load.limits.memory / _GIBIBYTES:.1f}",
    "volumes": lambda load: str(load.volumes),
    "volumes, GiB": lambda load: f"{load.storage / _GIBIBYTES:.1f}",
}


def as_text(change: StackChange, *, with_fields: bool = True) -> str:
    """The change for people.

    Args:
        change: The change.
        with_fields: Whether changed fields of objects are listed below each.
    """
    if not change.steps and not change.identity:
        return f"{change.before} and {change.after} make the same objects\n"
    parts = [
        summary(change),
        _first(change),
        settings_text((*change.identity, *change.settings), change.before, change.after).rstrip(),
        "\n".join(
            ["Objects", *(line for step in change.objects for line in object_lines(step, with_fields=with_fields))]
        ),
        "Load of all pods and volumes\n" + table_text(LOAD_HEADINGS, load_rows(change)),
        _consequences(change),
        "\n".join(f"Note: {note}." for note in change.notes),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(change: StackChange) -> str:
    """Number of settings and objects that change, in one line."""
    counts = Counter[str](step.step for step in change.objects)
    objects = ", ".join(f"{counts[kind]} {word}" for kind, word in PAST.items() if counts[kind]) or "none changes"
    return f"{change.before} -> {change.after}: {len(change.settings)} settings change; objects: {objects}"


def subject(step: Step) -> str:
    """The setting or the object that a step is about."""
    if isinstance(step, ChangeSetting):
        return f"{step.field} {step.before} -> {step.after}" if _is_short(step) else step.field
    return step.object.title


def effort(step: Step) -> str:
    """Effort to undo a step, with its reason."""
    words = {"restore": "needs a restore to undo", "replaces": "replaces", "one-way": "one-way"}
    known = words.get(step.undo, step.undo)
    return f"{known}: {step.why}" if step.why else known


def load_rows(change: StackChange) -> list[tuple[str, ...]]:
    """Rows of the table of loads: pods, requests, limits and volumes, before and after."""
    rows = []
    for name, read in _AMOUNTS.items():
        before, after = ([read(each) for each in (load.rest, load.update, load.peak)] for load in change.loads)
        cells = (f"{one} -> {other}" if one != other else one for one, other in zip(before, after, strict=True))
        rows.append((name, *cells))
    return rows


def outage_rows(change: StackChange) -> list[tuple[str, str, str]]:
    """Rows of the table of restarts: workload with its pods, seconds without an answer, source of the figure."""
    return [
        (
            f"{each.title} ({each.servers} {'pod' if each.servers == 1 else 'pods'})",
            "unknown" if each.figure.seconds is None else f"{each.figure.seconds:g} s",
            each.figure.source,
        )
        for each in change.outages
    ]


def field_lines(change: FieldChange) -> list[str]:
    """One changed field; texts of several lines as a unified diff."""
    before, after = change.before, change.after
    if isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
        changed = [f"  {line}" for line in lines if not line.startswith(("---", "+++", "@@"))]
        return [f"{change.path}:", *changed]
    return [f"{change.path}: {_value(before)} -> {_value(after)}"]


def step_name(step: Step) -> str:
    """Kind of a step in one word."""
    return "setting" if isinstance(step, ChangeSetting) else step.step


def object_lines(step: ObjectStep, *, with_fields: bool = True) -> Iterator[str]:
    """An object with its changed fields below it."""
    former = f"{step.former} -> " if isinstance(step, RenameObject) else ""
    yield f"  {MARKS[step.step]} {step.object.kind} {former}{step.object.name}"
    fields: Sequence[FieldChange] = getattr(step, "fields", ())
    for each in fields if with_fields else ():
        yield from (f"      {line}" for line in field_lines(each))


def _first(change: StackChange) -> str:
    dangerous = [step for step in change.steps if is_dangerous(step)]
    if not dangerous:
        return ""
    rows = [(step_name(step), subject(step), effort(step)) for step in dangerous]
    return f"Look at these first ({len(rows)})\n" + table_text(("STEP", "OBJECT OR SETTING", "TO UNDO"), rows)


def _consequences(change: StackChange) -> str:
    parts = []
    if change.first:
        parts.append("\n".join([FIRST_HEADING, *(f"  {each}" for each in change.first)]))
    if change.outages:
        parts.append("Restarts\n" + table_text(("WORKLOAD", "NO ANSWER FOR", "SOURCE"), outage_rows(change)))
    if change.data:
        touched = [f"  {step.step} {step.object.title}: {effort(step)}" for step in change.data]
        parts.append("\n".join(["Objects with data", *touched]))
    return "\n\n".join(parts)


def _is_short(step: ChangeSetting) -> bool:
    return len(f"{step.before}{step.after}") < _SHOWN


def _value(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    text = text.replace("\n", "\\n")
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
