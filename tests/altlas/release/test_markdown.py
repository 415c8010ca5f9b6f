"""Markdown of a change: within the limit, nothing dangerous cut, and no markup from values."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from altlas.release.markdown import LIMIT, as_markdown
from altlas.release.stack_change import StackChange
from altlas.release.steps import (
    ChangeSetting,
    DeleteObject,
    FieldChange,
    ObjectName,
    ObjectStep,
    ReplaceObject,
    UpdateObject,
)
from components.kubernetes.load import Load, StackLoad
from rendering.errors import CommandError

WORDS = ("a", "configuration", "postgres-backup")


def change(*objects: ObjectStep, settings: tuple[ChangeSetting, ...] = ()) -> StackChange:
    """A change of these objects, without load."""
    load = StackLoad((), Load())
    return StackChange("alpha", "beta", (), settings, objects, (load, load), (), (), ("a note",))


def name(text: str, kind: str = "ConfigMap") -> ObjectName:
    """Name of an object."""
    return ObjectName(type=f"kubernetes:core/v1:{kind}", logical=text, name=text, namespace="n")


def update(text: str, value: Any) -> UpdateObject:
    """A change in place."""
    return UpdateObject(object=name(text), fields=(FieldChange(path="data.key", before="", after=value),))


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(WORDS), st.integers(4, 12), st.integers(0, 2000), st.integers(0, 400), st.integers(0, 3))
def test_of_2000_objects_each_deletion_stays_within_the_limit(
    word: str, digits: int, deleted: int, length: int, kinds: int
) -> None:
    """However many of them are deleted, and however long the changes of the others are."""
    names = [f"{word}-{number:0{digits}}" for number in range(2000)]
    gone, kept = names[:deleted], names[deleted:]
    steps: list[ObjectStep] = [update(each, "x" * length) for each in kept]
    deletions = (
        DeleteObject(object=name(each, f"Kind{number % (kinds + 1)}"), manifest={}) for number, each in enumerate(gone)
    )
    text = as_markdown(change(*steps, *deletions))
    assert len(text) <= len(text.encode()) <= LIMIT
    first, _, details = text.partition("<details>")
    assert set(gone) <= set(re.findall(r"[a-z][a-z0-9-]+", first))
    hidden = sum(f" {each}\n" not in details for each in names)
    assert (f"Cut here: {hidden} of 2000 objects" in text) if hidden and details else hidden in {0, 2000}


def test_replacements_and_one_way_steps_are_never_cut_either() -> None:
    """The objects are, to the last one."""
    setting = ChangeSetting(field="a.b", before=9, after=1, decision="data", undo="one-way", why="gone for good")
    replaced = ReplaceObject(object=name("replaced"), fields=(), undo="restore", why="because")
    text = as_markdown(change(update("long", "x" * 99), replaced, settings=(setting,)), limit=420)
    assert "| setting | `a.b 9 -> 1` | one-way: gone for good |" in text.replace(
        "`one-way: gone for good`", "one-way: gone for good"
    )
    assert "| replace | `ConfigMap replaced` |" in text
    assert "long" not in text
    assert len(text) <= 420


def test_what_cannot_fit_is_refused_not_cut() -> None:
    """Long names of too many objects."""
    steps = [DeleteObject(object=name(f"{number:063}"), manifest={}) for number in range(2000)]
    with pytest.raises(CommandError, match="the 2000 deletions, replacements and one-way steps alone do not fit"):
        as_markdown(change(*steps))


@pytest.mark.parametrize(
    "value",
    ["```\n</details>\n# heading", "`|`|", "@octocat", "<script>", "\u202e", "![x](http://example.com/x.png)"],
)
def test_values_are_no_markup(value: str) -> None:
    """They stand in code that they cannot end, in a table as in a block."""
    setting = ChangeSetting(field="a.b", before="x", after=value, decision="data", undo="one-way", why=value)
    text = as_markdown(change(update("x", value), settings=(setting,)))
    outside = _without_code(text)
    assert not set("@<>![") & set(
        outside.replace("<details><summary>", "").replace("</summary>", "").replace("</details>", "")
    )
    assert outside.count("<details>") == outside.count("</details>") == 2
    rows = [line for line in text.splitlines() if line.startswith("| setting")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [4]


def _without_code(text: str) -> str:
    """The text without blocks and spans of code, as CommonMark finds them."""
    blocks = re.sub(r"^(`{3,})diff\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", blocks)


def test_no_step_says_so() -> None:
    """In one line."""
    assert as_markdown(change()).endswith("No step: both make the same objects.\n")


def test_without_danger_it_says_so() -> None:
    """So that nobody looks for the table."""
    text = as_markdown(change(update("x", "y")))
    assert "nothing is deleted or replaced" in text
    assert "~ ConfigMap x\n    data.key:  -> y\n" in text
