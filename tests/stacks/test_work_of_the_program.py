"""Work of the program, as calls of Python functions: their number does not change with the load of the machine."""

import threading
from types import FrameType
from typing import Any

import pytest

from components.kubernetes import naming
from rendering.recorder import record
from tests.support.documents import STACKS, platform_of
from tests.support.figures import Figures

MOST_CALLS_PER_OBJECT = 5_900
"""Calls from the settings to the last registration. Counted on 27 November 2026: 5,540 of alpha, 5,560 of beta."""


def calls_per_object(stack: str) -> float:
    """Number of function calls for each registered object; repeated runs differ by a hundredth at most."""
    calls = 0

    def count(_: FrameType, event: str, __: Any) -> None:
        nonlocal calls
        calls += event == "call"

    before = threading.getprofile()
    # The program runs in a thread of its own.
    threading.setprofile(count)
    try:
        objects = record(stack, platform_of(stack)).objects
    finally:
        threading.setprofile(before)
    return calls / len(objects)


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    """Modules are imported once, and their work is not counted."""
    record("alpha", platform_of("alpha"))


@pytest.mark.parametrize("stack", STACKS)
def test_an_object_takes_no_more_calls_than_it_did(stack: str, figures: Figures) -> None:
    """A change that needs more of them raises the limit knowingly."""
    found = calls_per_object(stack)
    figures.add(
        f"work of the program for {stack}", f"{found:,.0f} calls for each object, at most {MOST_CALLS_PER_OBJECT:,}"
    )
    assert found <= MOST_CALLS_PER_OBJECT


def test_more_work_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: labels that are made a thousand times each."""
    made = naming.labels

    def wasteful(name: str, component: str) -> dict[str, str]:
        return [made(name, component) for _ in range(1000)][-1]

    monkeypatch.setattr(naming, "labels", wasteful)
    assert calls_per_object("alpha") > MOST_CALLS_PER_OBJECT
