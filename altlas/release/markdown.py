"""A change as Markdown for a pull request, within the size that GitHub takes.

Deletions, replacements and steps without an inverse come first and are never cut; the rest is cut at the end of what
fits, and says so. Everything that comes from a stack or an object stands in code, so that it can be no markup.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from altlas.pictures.html import visible
from altlas.release.settings_diff import as_text as settings_text
from altlas.release.stack_change import StackChange
from altlas.release.steps import ChangeSetting, Step, is_dangerous
from altlas.release.text import (
    FIRST_HEADING,
    LOAD_HEADINGS,
    effort,
    load_rows,
    object_lines,
    outage_rows,
    step_name,
    subject,
    summary,
)
from rendering.errors import CommandError, ExitCode

LIMIT = 65_536
"""Largest comment that GitHub takes, in characters; counted in bytes here, which are never fewer."""

ROOM = LIMIT - 512
"""Bytes of a change, so that the lines above it in a comment fit too."""

_WORDS = re.compile(r"(?!.*www\.)[A-Za-z][A-Za-z0-9 .,;:()%-]*")
"""Text without markup: no list, no emphasis, no address that becomes a link."""

_CUT = "\n_Cut here: {} of {} objects are not shown. `altlas diff` prints all of them._\n"


def as_markdown(change: StackChange, limit: int = ROOM) -> str:
    """The change as Markdown of at most `limit` bytes.

    Raises:
        CommandError: Not even the steps to look at first fit, in their shortest form.
    """
    head = f"### {_code(summary(change))}\n\n"
    if not change.steps:
        return head + "No step: both make the same objects.\n"
    dangerous = [step for step in change.steps if is_dangerous(step)]
    first = _first(dangerous, limit - _size(head))
    if first is None:
        raise CommandError(
            f"the {len(dangerous)} deletions, replacements and one-way steps alone do not fit into {limit} characters; "
            "publish the text of `altlas diff` as a file instead of a comment",
            ExitCode.BAD_INPUT,
        )
    text = head + first
    for part in (_loads(change), _restarts(change), _settings(change), _notes(change)):
        if _size(text) + _size(part) <= limit:
            text += part
    return text + _objects(change, limit - _size(text))


def _first(dangerous: Sequence[Step], room: int) -> str | None:
    """Steps to look at first: a table, or the names grouped by reason where a table is too long."""
    if not dangerous:
        return "Every step can be taken back by its inverse; nothing is deleted or replaced.\n\n"
    heading = f"**Look at these first ({len(dangerous)})**\n\n"
    rows = [(step_name(step), _code(subject(step)), _plain(effort(step))) for step in dangerous]
    table = heading + _table(("step", "object or setting", "to undo"), rows)
    if _size(table) <= room:
        return table
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for step in dangerous:
        kind, name = (
            ("setting", step.field) if isinstance(step, ChangeSetting) else (step.object.kind, step.object.name)
        )
        groups[step_name(step), kind, effort(step)].append(name)
    lines = [
        f"- {step} {_plain(kind)} ({len(names)}; {_plain(why)}): {_code(' '.join(names))}\n"
        for (step, kind, why), names in groups.items()
    ]
    short = heading + "".join(lines) + "\n"
    return short if _size(short) <= room else None


def _loads(change: StackChange) -> str:
    return "**Load of all pods and volumes**\n\n" + _table(LOAD_HEADINGS, load_rows(change))


def _restarts(change: StackChange) -> str:
    rows = [(_code(title), seconds, _plain(source)) for title, seconds, source in outage_rows(change)]
    first = "".join(f"- {_plain(each)}\n" for each in change.first)
    steps = f"**{_plain(FIRST_HEADING)}**\n\n{first}\n" if first else ""
    table = "**Restarts**\n\n" + _table(("workload", "no answer for", "source"), rows) if rows else ""
    return steps + table


def _settings(change: StackChange) -> str:
    settings = (*change.identity, *change.settings)
    if not settings:
        return ""
    return _folded(f"Settings ({len(settings)})", visible(settings_text(settings, change.before, change.after)))


def _notes(change: StackChange) -> str:
    return "".join(f"- {_plain(note)}.\n" for note in change.notes) + "\n"


def _objects(change: StackChange, room: int) -> str:
    """Objects field by field: as many as fit, whole ones only."""
    # Without the first indent, so that the sign of a step colours its line.
    parts = [visible("".join(f"{line[2:]}\n" for line in object_lines(step))) for step in change.objects]
    whole = _folded(f"Objects ({len(parts)})", "".join(parts)) if parts else ""
    if _size(whole) <= room:
        return whole
    shown, fence = 0, _fence("".join(parts))
    frame = _size(_folded(f"Objects ({len(parts)})", "")) + 2 * len(fence)
    room -= frame + _size(_CUT.format(len(parts), len(parts)))
    while shown < len(parts) and room >= _size(parts[shown]):
        room -= _size(parts[shown])
        shown += 1
    cut = _CUT.format(len(parts) - shown, len(parts))
    if room < 0:
        return ""
    return _folded(f"Objects ({len(parts)})", "".join(parts[:shown])) + cut


def _folded(title: str, text: str) -> str:
    fence = _fence(text)
    return f"<details><summary>{title}</summary>\n\n{fence}diff\n{text}{fence}\n\n</details>\n\n"


def _fence(text: str) -> str:
    """Fence of a block of code that the text cannot close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(3, longest + 1)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines) + "\n"


def _code(text: str) -> str:
    """Inline code, also within a table."""
    one_line = visible(" ".join(text.split())).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", one_line)), default=0) + 1)
    space = " " if "`" in one_line[:1] + one_line[-1:] else ""
    return f"{fence}{space}{one_line}{space}{fence}"


def _plain(text: str) -> str:
    """Words of this program with values in them, as code if they hold anything that Markdown or GitHub may read."""
    return text if _WORDS.fullmatch(text) else _code(text)


def _size(text: str) -> int:
    return len(text.encode())
