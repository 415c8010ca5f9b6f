"""`python -m tests.suite`: all tests, and once more alone the files whose real servers failed beside other tests.

A test with real servers measures a machine that all tests share: a server may come back later than a client waits.
Such a file gets a second try with nothing beside it, which is said aloud. Tests of the program alone, and failures in
more files than a busy machine explains, get none (docs/adr/0019).
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

MOST_FILES = 2
"""Failures in more files than this are no accident."""

_TARGETS_WITH_SERVERS = ("sim", "process")


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


def run_alone(files: Sequence[str]) -> int:
    """Run some files one after the other, in a process of their own."""
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *files], check=False).returncode


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
    second = alone(files)
    for name in failures.targets:
        print(f"failed beside other tests, {'passed' if second == 0 else 'tried again'} alone: {name}", flush=True)
    return second


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
