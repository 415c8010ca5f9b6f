"""Evidence of a run: a summary per target at its end, and every claim in the file of `--evidence FILE`.

A claim is a test's own docstring; it is proven when every case of the test passed. The file is the result of one run
and stays outside git. docs/evidence.md is written by hand and names, by capability, the test files that hold it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

TARGETS = {
    "node": "node: real kubelets and containers on nodes of this machine, with real traffic, limits and volumes",
    "sim": "sim: the real engine, provider, API server, controllers and scheduler; nodes and containers are simulated",
    "process": "process: the real servers as processes on this machine, with the configuration that the program makes",
    "scan": "scan: other projects' scanners, on what the program renders",
    "mock": "mock: the program and the tools alone, without engine, cluster or servers",
}
"""Where a claim can be proven, strongest first; docs/evidence.md explains the same."""

NOT_PROVEN = (
    "k3d: its commands are checked, but no Docker engine was there to run them",
    "containers: real ones run on the target node alone, with cgroup v1 and images assembled from packages",
    "downloads from the official release sites: exercised against a local server only",
    "operators: PostgreSQL's and Prometheus' act on the target node alone; Istio and the Barman plugin nowhere",
    "published images: a registry on loopback only; the images that are built here stand in for the services",
    "published vulnerability databases: the scanners of images ran with databases that the tests make",
    "pulumi-docker: its provider is a mock, and no Docker engine was there to build with",
    "Grafana and the exporters: their configuration is checked, the programs were not there to run",
    "known vulnerabilities of Python packages: `make scan` says whether a service could be asked",
    "TLS to the stores, whose connections are plain; S3 stores other than SeaweedFS, which ran on loopback by TLS",
    "the published bases of the backup image: it was built over bases that are put together here",
    "Loki and Alloy: not built here; their tests need the official programs on PATH, as in the workflow `logs`",
    "linux/arm64: neither built nor run",
)
"""Claims that no test here can show; docs/evidence.md lists the same."""

_MISSING = "not proven here: "
"""How the reason of a skipped test begins."""

_MARKERS = {"node": "node", "sim": "sim", "e2e": "sim", "data": "process", "scan": "scan"}


@dataclass
class Claim:
    """One test function over all its cases.

    Attributes:
        file: File of the test.
        sentence: First line of its docstring, with its name behind it.
        passed: Cases that passed.
        others: Cases that failed or were skipped.
    """

    file: str
    sentence: str
    passed: int = 0
    others: int = 0


class Evidence:
    """Collects the outcome of every claim; lives in the process that reports."""

    def __init__(self) -> None:
        self.claims: dict[str, dict[str, Claim]] = defaultdict(dict)
        self.missing: Counter[str] = Counter()

    def add(self, report: pytest.TestReport) -> None:
        """Count one phase of one test: its call, or a setup or teardown that did not pass."""
        facts = {str(name): str(value) for name, value in report.user_properties}
        if "claim" not in facts or (report.when != "call" and report.passed):
            return
        function = report.nodeid.partition("[")[0]
        file = report.nodeid.partition("::")[0]
        claim = self.claims[facts["target"]].setdefault(function, Claim(file, facts["claim"]))
        if report.passed:
            claim.passed += 1
        else:
            claim.others += 1
        if report.skipped and isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            if reason.startswith(_MISSING):
                self.missing[reason.removeprefix(_MISSING)] += 1

    def summary(self) -> Iterator[str]:
        """One line a target, then what is not proven."""
        for target, meaning in TARGETS.items():
            claims = self.claims.get(target, {}).values()
            proven = sum(1 for claim in claims if not claim.others)
            yield f"{proven} of {len(claims)} claims proven on {meaning}"
        for sentence in self._not_proven():
            yield f"{_MISSING}{sentence}"

    def document(self) -> str:
        """Markdown of all claims; the same bytes for the same outcome."""
        lines = ["# Evidence of one run", "", "What its tests proved, and on which target.", ""]
        for target, meaning in TARGETS.items():
            lines += [f"## {target}", "", f"{_begun(meaning.partition(': ')[2])}.", ""]
            by_file: dict[str, list[Claim]] = defaultdict(list)
            for _, claim in sorted(self.claims.get(target, {}).items()):
                by_file[claim.file].append(claim)
            for file, claims in by_file.items():
                lines += [f"### {file}", ""]
                lines += [f"- {'proven' if not c.others else 'NOT PROVEN'}{_cases(c)}: {c.sentence}" for c in claims]
                lines.append("")
        lines += ["## Not proven here", "", *(f"- {sentence}" for sentence in self._not_proven())]
        return "\n".join(lines) + "\n"

    def _not_proven(self) -> Iterator[str]:
        yield from NOT_PROVEN
        for reason, count in sorted(self.missing.items()):
            yield f"{reason} ({count} skipped)"


def _begun(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _cases(claim: Claim) -> str:
    count = claim.passed + claim.others
    return f" in {count} cases" if count > 1 else ""


def target_of(marks: Iterable[str]) -> str:
    """Target of a test by the names of its markers; `mock` without one that says otherwise."""
    return next((_MARKERS[mark] for mark in marks if mark in _MARKERS), "mock")


EVIDENCE = pytest.StashKey[Evidence]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the file."""
    parser.addoption("--evidence", type=Path, default=None, help="write what this run proved into this Markdown file")


def pytest_configure(config: pytest.Config) -> None:
    """Start with no evidence."""
    config.stash[EVIDENCE] = Evidence()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its claim and its target; both travel with its report from worker to reporter."""
    for item in items:
        if isinstance(item, pytest.Function):
            target = target_of(mark.name for mark in item.iter_markers())
            docstring = (item.function.__doc__ or "").strip().splitlines()[:1]
            sentence = " ".join([*docstring, f"(`{item.originalname}`)"])
            item.user_properties += [("claim", sentence), ("target", target)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the summary and write the document."""
    evidence = config.stash[EVIDENCE]
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                evidence.add(report)
    terminalreporter.section("what was proven")
    for line in evidence.summary():
        terminalreporter.line(line)
    path: Path | None = config.getoption("--evidence")
    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(evidence.document(), encoding="utf-8")
