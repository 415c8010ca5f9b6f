"""Tiers of tests: which test runs by which command, how long each part may take, and what is only sampled.

Owns `pytest --tier=check|test|verify|verify-all` and the table of times against budgets at the end. Does not own what
is run again (tests.suite) nor what was proven (tests.evidence). A test is in one tier only, so that `make test` and
`make verify` run nothing twice; `verify-all` is `verify` without samples. Plain pytest runs everything, whole.

Seconds are those of the workers: with two of them, a part that shows 60 seconds took about 30.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pytest

SLOW = frozenset({"sim", "gate", "data", "scan", "e2e", "node"})
"""Markers of tests that need more than the program itself."""


@dataclass(frozen=True)
class Part:
    """Tests that are about one thing and share one budget.

    Attributes:
        name: As the table shows it.
        tier: The command that runs it.
        budget_seconds: What its tests may take, summed up over two workers on two cores, programs in the cache.
        places: Beginnings of the paths of its files.
        alone: Whether nothing may run in parallel: its tests measure the whole machine. `python -m tests.suite` runs it
            after the others; its places are folders outside pytest's `testpaths`.
    """

    name: str
    tier: str
    budget_seconds: int
    places: tuple[str, ...] = ("tests/",)
    alone: bool = False


FAST = Part("parts of the program and tools", "check", 60)
WHOLE_PROGRAM = Part(
    "whole program and commands",
    "test",
    140,
    (
        *("tests/altlas/release/", "tests/altlas/test_", "tests/images/", "tests/policy/", "tests/stacks/"),
        *("tests/unit/stack/test_secret_values.py", "tests/unit/stores/test_changed_numbers.py"),
        *("tests/unit/stores/test_postgres.py", "tests/unit/test_suite.py", "tests/unit/traffic/test_service_ports.py"),
    ),
)
"""Tests without slow markers that render whole stacks, start commands, or take long for other reasons."""

PARTS = (
    Part(
        "life of a stack on sim",
        "test",
        520,
        ("tests/e2e/test_lifecycle.py", "tests/e2e/test_data_guards.py", "tests/policy/test_policy_pack.py"),
    ),
    Part("simulated cluster", "test", 120, ("tests/cluster/",)),
    Part("operators and stacks on sim", "verify", 1950, ("tests/e2e/", "tests/addons/", "tests/altlas/")),
    Part("faults", "verify", 360, ("tests/faults/",)),
    Part("scaling and canaries in motion", "verify", 690, ("tests/motion/",)),
    Part("stores with real servers", "verify", 680, ("tests/data/",)),
    Part("monitoring", "verify", 150, ("tests/observability/",)),
    Part("real nodes", "verify", 720, ("tests/node/",), alone=True),
    Part("images", "verify", 600, ("tests/images/",)),
    Part("scanners", "verify", 190, ("tests/scan/",)),
    Part("gates", "verify", 200, ("tests/policy/",)),
)
"""Parts of slow tests; a test belongs to the first one that names its place."""

BUDGET_MINUTES = {"test": 8, "verify": 58}
"""What a command may take as a whole on two cores; parts may take that time on each of two workers, or on one alone."""

TIERS = {
    "check": frozenset({"check"}),
    "test": frozenset({"check", "test"}),
    "verify": frozenset({"verify"}),
    "verify-all": frozenset({"verify"}),
}
"""Tiers of parts by the value of `--tier`."""


def part_of(path: str, marks: Iterable[str]) -> Part:
    """Part of a test.

    Args:
        path: Its file from the root of the repository.
        marks: Names of its markers.

    Raises:
        UsageError: No part names the place of a slow test.
    """
    if not SLOW.intersection(marks):
        return WHOLE_PROGRAM if path.startswith(WHOLE_PROGRAM.places) else FAST
    for part in PARTS:
        if path.startswith(part.places):
            return part
    raise pytest.UsageError(f"{path} has slow tests and is in no part of tests/tiers.py")


def sampled(cases: int, wanted: int) -> frozenset[int]:
    """Positions of the cases that stand for all: evenly spread, the same each time."""
    wanted = min(wanted, cases)
    return frozenset(position * cases // wanted for position in range(wanted))


@dataclass
class Times:
    """Time that one part took.

    Attributes:
        tests: Tests that ran.
        seconds: Seconds of all their setups, calls and teardowns.
    """

    tests: int = 0
    seconds: float = 0.0


def table(times: Mapping[str, Times]) -> Iterator[str]:
    """One line for each part that ran, and what is over its budget."""
    rows = [(part, times[part.name]) for part in (FAST, WHOLE_PROGRAM, *PARTS) if part.name in times]
    yield f"{'PART':30}{'TESTS':>8}{'SECONDS':>10}{'BUDGET':>9}"
    for part, took in rows:
        over = "  OVER BUDGET" if took.seconds > part.budget_seconds else ""
        yield f"{part.name:30}{took.tests:>8}{took.seconds:>10.0f}{part.budget_seconds:>9}{over}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that chooses a tier."""
    parser.addoption("--tier", choices=tuple(TIERS), help="run the tests of one command; without it: all, whole")


def is_sampled(config: pytest.Config) -> bool:
    """True if a test may take a sample instead of the whole."""
    tier: str | None = config.getoption("--tier")
    return tier == "verify"


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """True if a test that tries many things tries all of them, and not only a sample."""
    return not is_sampled(request.config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give every test its part, and keep those of the tier."""
    tier = config.getoption("--tier")
    if tier is None:
        return
    parts = {item: part_of(item.nodeid, (mark.name for mark in item.iter_markers())) for item in items}
    for item, part in parts.items():
        item.user_properties.append(("part", part.name))
    kept = [item for item in items if parts[item].tier in TIERS[tier]]
    if is_sampled(config):
        kept = list(_sample(kept))
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def _sample(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    cases: dict[str, list[pytest.Item]] = defaultdict(list)
    items = list(items)
    for item in items:
        cases[item.nodeid.partition("[")[0]].append(item)
    for item in items:
        mark = item.get_closest_marker("sampled")
        together = cases[item.nodeid.partition("[")[0]]
        if mark is None or together.index(item) in sampled(len(together), mark.args[0]):
            yield item


def times_of(reporter: pytest.TerminalReporter) -> dict[str, Times]:
    """Times of all parts that ran."""
    times: dict[str, Times] = defaultdict(Times)
    for report in (each for reports in reporter.stats.values() for each in reports):
        if isinstance(report, pytest.TestReport):
            part = dict(report.user_properties).get("part")
            if isinstance(part, str):
                times[part].seconds += report.duration
                times[part].tests += report.when == "call"
    return times


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print times against budgets, below all other figures."""
    if config.getoption("--tier") is not None:
        times = times_of(terminalreporter)
        terminalreporter.section("times against budgets")
        for line in table(times):
            terminalreporter.line(line)
