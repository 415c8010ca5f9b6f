"""`python -m tests.suite --tier=TIER`: the tests of a tier, and once more alone the files whose real servers failed.

A test with real servers measures a machine that all tests share: a server may come back later than a client waits.
Such a file gets a second try with nothing in parallel, which is printed. Tests of the program alone, and failures in
more files than a busy machine explains, get none (docs/adr/0019). `--tier=test` fails if it had to provide a program:
a newcomer has waited for `make up` already (docs/adr/0021).

Parts that measure the machine as a whole run after all others, in one process with nothing in parallel.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from tools.cache import default_root

MOST_FILES = 2
"""Failures in more files than this are no accident."""

_TARGETS_WITH_SERVERS = ("node", "sim", "process")


@dataclass
class Failures:
    """Which tests failed; a plugin of the process that hears of all of them.

    Attributes:
        targets: Target of each test that failed, by its name; empty where a worker ended before it could say.
    """

    targets: dict[str, str] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a test whose setup, call or teardown failed."""
        if report.failed:
            self.targets[report.nodeid] = str(dict(report.user_properties).get("target", ""))

    def files_to_try_again(self) -> tuple[str, ...]:
        """The files of the failed tests; none unless all of them have servers, and the files are few."""
        files = tuple(sorted({name.partition("::")[0] for name in self.targets}))
        with_servers = all(target in _TARGETS_WITH_SERVERS for target in self.targets.values())
        return files if with_servers and len(files) <= MOST_FILES else ()


def run_beside(arguments: Sequence[str]) -> tuple[int, Failures]:
    """Run all tests, as many at once as the arguments say."""
    failures = Failures()
    return int(pytest.main(list(arguments), plugins=[failures])), failures


def run_alone(arguments: Sequence[str]) -> int:
    """Run some files one after the other, in a process of their own."""
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *arguments], check=False).returncode


def run(
    arguments: Sequence[str],
    beside: Callable[[Sequence[str]], tuple[int, Failures]] = run_beside,
    alone: Callable[[Sequence[str]], int] = run_alone,
) -> int:
    """Run the suite and return pytest's exit code: that of the second try where there was one."""
    code, failures = beside(arguments)
    files = failures.files_to_try_again() if code == pytest.ExitCode.TESTS_FAILED else ()
    if not files:
        return code
    print(f"\nSecond try, with nothing beside it: {' '.join(files)}", flush=True)
    tier = [argument for argument in arguments if argument.startswith("--tier=")]
    second = alone([*tier, *files])
    for name in failures.targets:
        print(f"failed beside other tests, {'passed' if second == 0 else 'tried again'} alone: {name}", flush=True)
    return second


def run_by_themselves(arguments: Sequence[str], alone: Callable[[Sequence[str]], int] = run_alone) -> int:
    """Run the parts of the tier that need the machine for themselves; return pytest's exit code, 0 without any."""
    # Not above: pytest loads that module as a plugin, and refuses one that is there already.
    from tests.tiers import PARTS, TIERS  # noqa: PLC0415

    tiers = [argument.removeprefix("--tier=") for argument in arguments if argument.startswith("--tier=")]
    places = [
        place
        for part in PARTS
        if part.alone and any(part.tier in TIERS[tier] for tier in tiers)
        for place in part.places
    ]
    if not places:
        return 0
    print(f"\nBy themselves, with nothing in parallel: {' '.join(places)}", flush=True)
    evidence = [
        f"{file}-alone.md" for each in arguments if (file := each.removesuffix(".md")).startswith("--evidence=")
    ]
    command = ["-rs", *(f"--tier={tier}" for tier in tiers), *evidence, *places]
    code = alone(command)
    if code == pytest.ExitCode.TESTS_FAILED:
        print(f"\nSecond try, as the first one failed: {' '.join(places)}", flush=True)
        code = alone(command)
    return code


def provided_programs() -> frozenset[str]:
    """Programs in the cache, by name, version and recipe."""
    root = default_root()
    return frozenset(folder.name for folder in root.iterdir() if "@" in folder.name) if root.exists() else frozenset()


def main(
    arguments: Sequence[str],
    run_tests: Callable[[Sequence[str]], int] = run,
    by_themselves: Callable[[Sequence[str]], int] = run_by_themselves,
) -> int:
    """Run the suite; exit 1 also where `--tier=test` needed a program that `make up` had not brought."""
    before = provided_programs()
    code = run_tests(arguments)
    code = by_themselves(arguments) or code
    further = provided_programs() - before
    if further and "--tier=test" in arguments:
        print(f"make test had to provide programs that make up had not: {', '.join(sorted(further))}", flush=True)
        return code or int(pytest.ExitCode.TESTS_FAILED)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
