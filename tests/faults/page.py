"""`python -m tests.faults.page`: the page of reliability, from the records of the last `make test-faults`."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.cases import FOLDER, Fault, Outcome, current_commit, read_records
from tests.support.documents import ROOT

OURS = "altlas"
NOT_STAGED = {
    "jumps of the clock of the CLI and of the servers of stores": "no program that changes the time of one process is "
    "pinned, and all share one clock",
    "writes that a power cut takes back": "they need a block device of their own; a file cut or zeroed stands for them",
    "a state, its checksum and its history restored from one older backup": "nothing beside the cluster tells it from "
    "the last one; `altlas drift` shows the difference",
    "faults of real nodes": "`make test-node` has its own figures, in docs/evidence.md",
}
"""Faults that this harness does not stage, each with the reason."""

Record = tuple[Fault, str, Outcome]


def page(records: Sequence[Record], commit: str) -> str:
    """Text of the page about the records of a commit."""
    own = [(fault, outcome) for fault, of, outcome in records if of == commit]
    return "\n".join([*_heading(commit), *_table(own), *_not_staged(own)])


def _heading(commit: str) -> Iterator[str]:
    yield "<!-- Written by `make test-faults` from the records of its run; do not edit. -->"
    yield ""
    yield "# Reliability"
    yield ""
    yield f"Faults that were injected at commit `{commit}`, and in how many cases the promise held. The bound is the"
    yield "largest share of failures that fits what was seen with 95 % confidence, by Clopper and Pearson, exact and"
    yield "one-sided. `make test-faults` tries all cases, goes on where it was ended, and writes this page. Targets are"
    yield "explained in [evidence.md](evidence.md)."
    yield ""


def _table(own: Sequence[tuple[Fault, Outcome]]) -> Iterator[str]:
    yield "| fault | promise | held | failures at most | target | test |"
    yield "|---|---|---|---|---|---|"
    tried = [(fault, outcome) for fault, outcome in own if outcome.cases]
    for fault, outcome in sorted(tried, key=lambda one: (one[0].name, one[0].subject != OURS)):
        name = fault.name if fault.subject == OURS else f"{fault.name}: {fault.subject}"
        held, test = f"{outcome.held:,} of {outcome.cases:,}", fault.test.partition("::")[0]
        yield f"| {name} | {fault.promise} | {held} | {outcome.most_failures} | {fault.target} | `{test}` |"
    yield ""


def _not_staged(own: Sequence[tuple[Fault, Outcome]]) -> Iterator[str]:
    yield "Not staged here:"
    yield ""
    yield from (f"- {fault.name}: this machine refused it." for fault, outcome in own if not outcome.cases)
    tried = {fault.test.partition("::")[0] for fault, _ in own}
    yield from (f"- `{file}`: not in the run of this commit." for file in _recording() if file not in tried)
    yield from (f"- {name}: {reason}." for name, reason in NOT_STAGED.items())
    yield ""


def _recording() -> list[str]:
    """Files with tests that record their cases."""
    files = sorted(file for file in (ROOT / "tests").rglob("test_*.py") if "cases_of(" in file.read_text("utf-8"))
    return [file.relative_to(ROOT).as_posix() for file in files]


def main(folder: Path = FOLDER, commit: str | None = None) -> int:
    """Print the page; 1 where nothing is recorded about this commit."""
    records, commit = read_records(folder), commit or current_commit()
    if not any(of == commit for _, of, _ in records):
        print(f"error: {folder} has no records of the commit {commit}; run `make test-faults`", file=sys.stderr)
        return 1
    print(page(records, commit), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
