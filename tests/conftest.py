"""Common ground of all tests: the program as it registers itself for each stack, recorded once."""

import asyncio
import gc
from collections.abc import Callable, Mapping

import pytest
from hypothesis import settings

from rendering.recorder import Recorder, record
from tests.support.documents import STACKS, platform_of
from tests.support.figures import PROPERTY, Figures

# The same examples in every run: a test fails because of the code, never because of the day.
settings.register_profile("suite", deadline=None, database=None, derandomize=True)
settings.load_profile("suite")


_ALLOCATIONS_BETWEEN_COLLECTIONS = 50_000


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking again and again through all that every test shares.

    Else it takes a quarter of the processor time of `make check`.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_BETWEEN_COLLECTIONS)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Give each test the event loop that Pulumi's SDK looks for, which `asyncio.run` of an earlier test took away."""
    try:
        asyncio.get_event_loop()
    except RuntimeError:
        asyncio.set_event_loop(asyncio.new_event_loop())


@pytest.fixture(scope="session")
def programs() -> Mapping[str, Recorder]:
    """Registrations of the whole program, by stack. Read-only: all tests share them."""
    return {stack: record(stack, platform_of(stack)) for stack in STACKS}


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Place for the figures that a test has measured."""
    return Figures(record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of all tests in one table."""
    passed = terminalreporter.stats.get("passed", ())
    lines = sorted(str(value) for report in passed for name, value in report.user_properties if name == PROPERTY)
    if lines:
        terminalreporter.section("figures")
    for line in lines:
        terminalreporter.write_line(line)
