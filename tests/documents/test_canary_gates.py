"""docs/canary-gates.md: its figures are those of a smaller run with the same seed, and the default is good enough."""

import pytest

from altlas.release.canary_gates import DEFAULT_GATES, CanaryGates, CanaryVerdict, CanaryWindow, decide
from benchmarks.canary_gates import GATES, KINDS, STREAMS, GateQuality, page, quality
from tests.documents.pages import ROOT
from tests.documents.test_figures import rows

PAGE = "docs/canary-gates.md"
FEW = 200
GOOD, ERRORS, SLOW = CanaryWindow(1000, 3, 10), CanaryWindow(1000, 4, 0), CanaryWindow(1000, 0, 11)
FEW_REQUESTS, NONE = CanaryWindow(499, 0, 0), None


@pytest.mark.parametrize(
    ("windows", "verdict", "minutes"),
    [
        ([GOOD] * 4, CanaryVerdict.PROMOTED, 25),
        ([GOOD, ERRORS, GOOD, GOOD, GOOD], CanaryVerdict.PROMOTED, 30),
        ([ERRORS, GOOD, GOOD, SLOW], CanaryVerdict.ABORTED, 25),
        ([SLOW, SLOW], CanaryVerdict.ABORTED, 15),
        ([FEW_REQUESTS, FEW_REQUESTS], CanaryVerdict.ABORTED, 15),
        ([GOOD, GOOD, GOOD, NONE, NONE], CanaryVerdict.ABORTED, 30),
    ],
)
def test_the_default_gates_decide(windows: list[CanaryWindow | None], verdict: CanaryVerdict, minutes: int) -> None:
    """At a bound a check passes, beyond it it fails; no data and too few requests fail; failures add up."""
    stream = iter(windows)
    end = decide(DEFAULT_GATES, lambda _: next(stream))
    assert (end.verdict, end.seconds) == (verdict, minutes * 60)
    assert list(stream) == []


def test_every_step_is_checked_at_its_own_share() -> None:
    """A failed check stays at the share that it looked at."""
    seen: list[int] = []
    windows = iter([GOOD, ERRORS, GOOD, GOOD, GOOD])
    decide(DEFAULT_GATES, lambda share: seen.append(share) or next(windows))  # type: ignore[func-returns-value]
    assert seen == [10, 30, 30, 50, 100]


def test_no_setting_lets_missing_data_pass() -> None:
    """Not even gates that accept every figure."""
    gates = CanaryGates(
        interval_seconds=1, threshold=1, most_errors_percent=100, quantile=0, latency_factor=1, least_requests=0
    )
    assert gates.hold(CanaryWindow(1, 1, 1))
    assert not gates.hold(None)
    assert not gates.hold(CanaryWindow(0, 0, 0))


@pytest.fixture(scope="module")
def found() -> dict[str, GateQuality]:
    """A smaller run of every setting."""
    return {name: quality(name, FEW) for name in GATES}


def test_the_page_has_the_figures_of_a_smaller_run(found: dict[str, GateQuality]) -> None:
    """Within four standard deviations of the smaller run; times are the same where all streams end alike."""
    table = rows(PAGE)
    for kind in KINDS:
        for cell, each in zip(table[kind], found.values(), strict=True):
            percent, minutes = cell.removesuffix(" |").split(" in ")
            share = float(percent) / 100
            deviation = 100 * (max(share * (1 - share), 1 / STREAMS) / FEW) ** 0.5
            assert each.promoted_percent[kind] == pytest.approx(float(percent), abs=4 * deviation + 100 / FEW), kind
            assert each.minutes[kind] == pytest.approx(float(minutes), abs=5), kind


def test_the_page_is_written_by_the_command(found: dict[str, GateQuality]) -> None:
    """All of it but the figures; the table of settings is that of the code."""
    written, made = ((ROOT / PAGE).read_text(encoding="utf-8"), page(found))
    for text in (written, made):
        assert text.count("\n| ") == 1 + len(GATES) + 1 + len(GATES) + 2 + len(KINDS)
    changing = {*KINDS, *GATES}
    assert [line for line in written.splitlines() if line[2:].split(" | ")[0] not in changing] == [
        line for line in made.splitlines() if line[2:].split(" | ")[0] not in changing
    ]


def test_the_default_is_good_enough_and_others_are_not(found: dict[str, GateQuality]) -> None:
    """By the page's figures of the large run, and by those of the smaller one."""
    verdicts = {name: cells[-1].removesuffix(" |") for name, cells in rows(PAGE).items() if name in GATES}
    assert verdicts == {
        name: "yes" if name in ("default", "first failure", "five failures") else "no" for name in GATES
    }
    assert found["default"].is_good_enough
    assert not found["original platform"].is_good_enough
    assert not found["p95 instead of p99"].is_good_enough
