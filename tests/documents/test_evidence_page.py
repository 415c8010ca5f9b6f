"""docs/evidence.md: each claim names test files that exist, on targets that exist."""

import re

from tests.documents.pages import ROOT
from tests.evidence import NOT_PROVEN, TARGETS, target_of

PAGE = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
FILE = re.compile(r"`(tests/[\w/]+\.py)`")


def claims() -> list[list[str]]:
    """Cells of each row of the table of capabilities."""
    table = PAGE.partition("| capability |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()[2:]]


def test_each_claim_names_tests_that_exist() -> None:
    """At least one file for each row, and no file that is gone."""
    assert len(claims()) >= 25
    for capability, _, _, tests in claims():
        files = FILE.findall(tests)
        assert files, capability
        assert [name for name in files if not (ROOT / name).is_file()] == [], capability


def test_each_claim_names_the_targets_of_its_tests() -> None:
    """The markers of the tests decide: a claim is not called proven on a target where none of its tests run."""
    for capability, _, targets, tests in claims():
        real = set().union(*(targets_of(name) for name in FILE.findall(tests)))
        assert set(targets.split(", ")) <= real, f"{capability}: {sorted(real)}"


def targets_of(name: str) -> set[str]:
    """Targets of a file: that of its `pytestmark`, or else the program alone and those of single tests."""
    text = (ROOT / name).read_text(encoding="utf-8")
    of_file = re.search(r"^pytestmark = (.+)$", text, re.MULTILINE)
    whole = target_of(re.findall(r"pytest\.mark\.(\w+)", of_file[1])) if of_file else "mock"
    single = {target_of([mark]) for mark in re.findall(r"pytest\.mark\.(\w+)", text)}
    return {whole} if whole != "mock" else {"mock"} | single


def test_the_page_explains_every_target_and_what_is_not_proven() -> None:
    """The same targets and the same open points that a run prints."""
    for line in TARGETS.values():
        target, _, meaning = line.partition(": ")
        assert f"| {target} | {meaning} |" in PAGE
    listed = PAGE.partition("## Not proven here\n\n")[2].splitlines()
    assert listed == [f"- {sentence}" for sentence in NOT_PROVEN]
