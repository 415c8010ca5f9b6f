"""Tiers of tests: each test in one of them, samples that are the same each time, and budgets that count."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.documents import ROOT
from tests.tiers import BUDGET_MINUTES, FAST, PARTS, SLOW, TIERS, WHOLE_PROGRAM, Times, part_of, sampled, table

SLOW_MARK = re.compile(rf"^(@|pytestmark = .*)pytest\.mark\.({'|'.join(SLOW)})\b", re.MULTILINE)
SLOW_FILES = [
    path.relative_to(ROOT).as_posix()
    for path in sorted((ROOT / "tests").rglob("test_*.py"))
    if SLOW_MARK.search(path.read_text(encoding="utf-8"))
]


def sample_run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest with the project's settings on one small file."""
    file = folder / "test_sample.py"
    file.write_text(
        "import pytest\n"
        "def test_fast(): pass\n"
        "@pytest.mark.gate\n@pytest.mark.sampled(3)\n@pytest.mark.parametrize('n', range(9))\ndef test_slow(n): pass\n"
        "@pytest.mark.gate\ndef test_size(whole): print(f'whole={whole}')\n"
    )
    plugin = folder / "places.py"
    plugin.write_text(
        "from tests import tiers\n"
        "tiers.PARTS = (tiers.Part('all', 'verify', 100, ('',)),)\n"
        "tiers.FAST = tiers.Part('quick', 'check', 0)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "places", "-c", str(ROOT / "pyproject.toml")]
    return subprocess.run(
        [*command, f"--rootdir={folder}", *arguments, str(file)],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{folder}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_part_belongs_to_a_command_and_every_command_has_a_budget() -> None:
    """`verify-all` is `verify` without samples; no tier of parts is left without a command."""
    tiers = {part.tier for part in (FAST, WHOLE_PROGRAM, *PARTS)}
    assert tiers == frozenset().union(*TIERS.values())
    assert TIERS["verify"] == TIERS["verify-all"]
    assert not TIERS["verify"] & TIERS["test"]
    assert BUDGET_MINUTES.keys() <= TIERS.keys()


@pytest.mark.parametrize("command", BUDGET_MINUTES)
def test_the_parts_of_a_command_fit_into_its_budget(command: str) -> None:
    """On two workers or alone, with a tenth of the time for what is not a test."""
    parts = [part for part in (FAST, WHOLE_PROGRAM, *PARTS) if part.tier in TIERS[command]]
    seconds = sum(part.budget_seconds / (1 if part.alone else 2) for part in parts)
    assert seconds <= 0.9 * 60 * BUDGET_MINUTES[command]


def test_what_runs_alone_is_not_collected_with_the_others() -> None:
    """Pytest without paths would run it in parallel with them."""
    paths = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]["testpaths"]
    alone = [place for part in PARTS if part.alone for place in part.places]
    assert alone == ["tests/node/"]
    assert not [path for path in paths for place in alone if f"{path}/".startswith(place)]


@pytest.mark.parametrize("file", SLOW_FILES)
def test_every_file_with_slow_tests_is_in_a_part(file: str) -> None:
    """So that no test is left out by all commands."""
    assert part_of(file, ["e2e"]) in PARTS


def test_a_slow_test_elsewhere_is_a_mistake_that_stops_the_run() -> None:
    """It would run in no tier."""
    with pytest.raises(pytest.UsageError, match=r"tests/elsewhere/test_x\.py has slow tests and is in no part"):
        part_of("tests/elsewhere/test_x.py", ["data"])
    assert part_of("tests/elsewhere/test_x.py", ["parametrize"]) is FAST


def test_a_test_of_the_whole_program_waits_for_make_test() -> None:
    """Each place leads to files that are there; a slow one of them keeps its own part."""
    for place in WHOLE_PROGRAM.places:
        found = [path for path in ROOT.glob("tests/**/test_*.py") if str(path.relative_to(ROOT)).startswith(place)]
        assert found, place
        assert all(part_of(str(path.relative_to(ROOT)), []) is WHOLE_PROGRAM for path in found)
    assert part_of("tests/policy/test_gates.py", ["gate"]) in PARTS


def test_a_sample_is_spread_evenly_and_never_larger_than_the_whole() -> None:
    """The first case is always in it."""
    assert sampled(9, 3) == {0, 3, 6}
    assert sampled(10, 4) == {0, 2, 5, 7}
    assert sampled(2, 5) == {0, 1}
    assert sampled(0, 5) == frozenset()


def test_the_table_says_what_is_over_its_budget() -> None:
    """It does not fail the run: on a busy machine the same tests took seven times as long."""
    first, second = PARTS[:2]
    times = {first.name: Times(3, first.budget_seconds + 1), second.name: Times(1, second.budget_seconds)}
    lines = list(table(times))
    assert lines[0].split() == ["PART", "TESTS", "SECONDS", "BUDGET"]
    assert [line.endswith("OVER BUDGET") for line in lines[1:]] == [True, False]
    assert list(table({first.name: Times(3, 1.0)}))[1].split()[-3:] == ["3", "1", str(first.budget_seconds)]


@pytest.mark.parametrize(
    ("tier", "passed", "whole"),
    [
        ("verify", "4 passed, 7 deselected", "False"),
        ("verify-all", "10 passed, 1 deselected", "True"),
        (None, "11 passed", "True"),
    ],
)
def test_a_run_takes_its_tier_and_only_verify_takes_samples(
    tmp_path: Path, tier: str | None, passed: str, whole: str
) -> None:
    """By real runs of pytest."""
    done = sample_run(tmp_path, *([f"--tier={tier}"] if tier else []))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(passed)
    assert f"whole={whole}" in done.stdout
    assert ("times against budgets" in done.stdout) == bool(tier)
