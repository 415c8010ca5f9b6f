"""The second try of tests with real servers: who gets one, and that it can fail."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.suite import Failures, main, run, run_beside, run_by_themselves
from tests.support.documents import ROOT
from tools.cache import default_root

DRILL, OTHER_DRILL, RULE = "tests/data/test_a.py::test_x", "tests/e2e/test_b.py::test_y", "tests/unit/test_c.py::test_z"


def outcome(code: int, failed: dict[str, str], second: int) -> tuple[int, list[Sequence[str]]]:
    """Exit code of a suite whose first run ended like this, and what was run alone after it."""
    tried: list[Sequence[str]] = []

    def alone(files: Sequence[str]) -> int:
        tried.append(files)
        return second

    return run([], lambda _: (code, Failures(failed)), alone), tried


@pytest.mark.parametrize("second", [0, 1])
def test_a_drill_that_failed_beside_others_is_tried_alone(second: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Its second outcome is the outcome of the suite, and the first failure is named either way."""
    failed = {DRILL: "process", f"{DRILL}2": "process", OTHER_DRILL: "sim"}
    assert outcome(1, failed, second) == (second, [["tests/data/test_a.py", "tests/e2e/test_b.py"]])
    word = "tried again" if second else "passed"
    assert f"failed beside other tests, {word} alone: {DRILL}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "failed"),
    [
        (1, {RULE: "mock"}),
        (1, {DRILL: "process", RULE: "mock"}),
        (1, {DRILL: "process", "worker": ""}),
        (1, {DRILL: "process", OTHER_DRILL: "sim", "tests/data/test_d.py::test_x": "process"}),
        (1, {}),
        (2, {DRILL: "process"}),
    ],
    ids=["no servers", "one without servers", "a worker ended", "too many files", "none known", "interrupted"],
)
def test_no_other_failure_gets_a_second_try(code: int, failed: dict[str, str]) -> None:
    """A test that fails because of the code fails at once."""
    assert outcome(code, failed, 0) == (code, [])


def test_a_green_suite_is_run_once() -> None:
    """Exit code 0, and nothing after it."""
    assert outcome(0, {}, 1) == (0, [])


def test_the_second_try_keeps_to_the_tier() -> None:
    """So that a sample stays one."""
    tried: list[Sequence[str]] = []
    failed = Failures({DRILL: "process"})

    def alone(arguments: Sequence[str]) -> int:
        tried.append(arguments)
        return 0

    run(["-q", "--tier=verify"], lambda _: (1, failed), alone)
    assert tried == [["--tier=verify", "tests/data/test_a.py"]]


@pytest.mark.parametrize(("tier", "code"), [("test", 1), ("verify", 0)])
def test_only_make_test_may_provide_no_program(
    tier: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A newcomer has waited for them in `make up`; the message names what came later."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (default_root() / "old@1@linux-amd64@0").mkdir(parents=True)

    def provides(_: Sequence[str]) -> int:
        (default_root() / "new@1@linux-amd64@0").mkdir()
        return 0

    assert main([f"--tier={tier}"], provides, lambda _: 0) == code
    assert ("new@1" in capsys.readouterr().out) == bool(code)
    assert main([f"--tier={tier}"], lambda _: 0, lambda _: 0) == 0


def by_themselves(tier: str, *codes: int) -> tuple[int, list[Sequence[str]]]:
    """Exit code of the parts that run by themselves, whose runs end with these codes, and their command lines."""
    tried: list[Sequence[str]] = []

    def alone(arguments: Sequence[str]) -> int:
        tried.append(arguments)
        return codes[len(tried) - 1]

    return run_by_themselves(["-q", "-n", "2", f"--tier={tier}", "--evidence=a/b.md"], alone), tried


@pytest.mark.parametrize(("tier", "runs"), [("verify", 1), ("verify-all", 1), ("test", 0)])
def test_real_nodes_are_run_by_themselves_after_the_others(tier: str, runs: int) -> None:
    """In the tiers of verification alone, with evidence in a file of its own."""
    assert by_themselves(tier, 0) == (0, [["-rs", f"--tier={tier}", "--evidence=a/b-alone.md", "tests/node/"]] * runs)


@pytest.mark.parametrize(("codes", "runs"), [((1, 0), 2), ((1, 1), 2), ((2,), 1), ((0,), 1)])
def test_real_nodes_get_a_second_try(codes: tuple[int, ...], runs: int) -> None:
    """The whole part once more where a test failed, not where pytest itself could not go on; the last run counts."""
    code, tried = by_themselves("verify", *codes)
    assert code == codes[-1]
    assert len(tried) == runs


@pytest.mark.parametrize(("others", "alone", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (2, 1, 1)])
def test_either_half_fails_the_suite(others: int, alone: int, code: int) -> None:
    """Both run, whatever the first one ends with."""
    assert main(["--tier=verify"], lambda _: others, lambda _: alone) == code


def test_failures_of_setup_and_call_are_heard_of(tmp_path: Path) -> None:
    """By a real run of pytest, with the target that the marker says."""
    file = tmp_path / "test_sample.py"
    file.write_text(
        "import pytest\n"
        "@pytest.fixture\n"
        "def broken():\n    raise OSError\n"
        "@pytest.mark.data\ndef test_setup(broken): pass\n"
        "@pytest.mark.e2e\ndef test_call(): assert False\n"
        "def test_passes(): pass\n"
    )
    code, failures = run_beside(["-q", "-c", str(ROOT / "pyproject.toml"), str(file)])
    assert code == 1
    assert {name.rpartition("::")[2]: target for name, target in failures.targets.items()} == {
        "test_setup": "process",
        "test_call": "sim",
    }


def test_the_suite_leaves_its_plugins_to_pytest() -> None:
    """Pytest refuses to load a plugin whose module is there already."""
    program = "import sys, tests.suite; print(sorted({'tests.tiers', 'tests.evidence'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
