"""`python -m tests.faults.page`: the page of reliability, from the records of the last `make test-faults`."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tests.faults.cases import FOLDER, Fault, Outcome, read_records, read_refusals
from tests.support.documents import ROOT

OURS = "altlas"
NOT_STAGED = {
    "jumps of the clock of the CLI and of the servers of stores": "no program that changes the time of one process is "
    "pinned, and all share one clock",
    "writes that a power cut takes back": "they need a block device of their own; a file cut or zeroed stands for them",
    "a state, its checksum and its history restored from one older backup": "nothing beside the cluster tells it from "
    "the last one; `altlas drift` shows the difference",
}
"""Faults that this harness does not stage, each with the reason."""

Record = tuple[Fault, str, Outcome]


def page(records: Sequence[Record], refusals: Mapping[str, str] = MappingProxyType({})) -> str:
    """Text of the page: of each fault the cases that were tried last, with the commit at which they were.

    Args:
        records: Cases of the faults.
        refusals: Reasons for which this machine stages no fault, by the folder of the tests.
    """
    known = [each for each in records if _is_known(each[0].test)]
    return "\n".join([*_heading(), *_table(known), *_not_staged(known, refusals)])


def _is_known(test: str) -> bool:
    """True if there still is such a test; what a test recorded that was renamed or removed is left out."""
    file, _, name = test.partition("::")
    path = ROOT / file
    return path.exists() and f"def {name.partition('[')[0]}(" in path.read_text("utf-8")


def _heading() -> Iterator[str]:
    yield "<!-- Written by `make test-faults` from the records of its run; do not edit. -->"
    yield ""
    yield "# Reliability"
    yield ""
    yield "Faults that were injected, in how many cases the promise held, and at which commit that was. The bound is"
    yield "the largest share of failures that fits what was seen with 95 % confidence, by Clopper and Pearson, exact"
    yield "and one-sided. `make test-faults` tries all cases of a commit, goes on where it was ended, and writes this"
    yield "page. Targets are explained in [evidence.md](evidence.md)."
    yield ""


def _table(records: Sequence[Record]) -> Iterator[str]:
    yield "| fault | promise | held | failures at most | target | test | commit |"
    yield "|---|---|---|---|---|---|---|"
    tried = [each for each in records if each[2].cases]
    for fault, commit, outcome in sorted(tried, key=lambda one: (one[0].name, one[0].subject != OURS)):
        name = fault.name if fault.subject == OURS else f"{fault.name}: {fault.subject}"
        held, file = f"{outcome.held:,} of {outcome.cases:,}", fault.test.partition("::")[0]
        cells = (name, fault.promise, held, outcome.most_failures, fault.target, f"`{file}`", f"`{commit}`")
        yield f"| {' | '.join(cells)} |"
    yield ""


def _not_staged(records: Sequence[Record], refusals: Mapping[str, str]) -> Iterator[str]:
    yield "Not staged here:"
    yield ""
    yield from (f"- {fault.name}: this machine refused it." for fault, _, outcome in records if not outcome.cases)
    tried = {fault.test.partition("::")[0] for fault, _, _ in records}
    for file in (each for each in _recording() if each not in tried):
        yield f"- `{file}`: {refusals.get(file.rpartition('/')[0], 'not run yet')}."
    yield from (f"- {name}: {reason}." for name, reason in NOT_STAGED.items())
    yield ""


def _recording() -> list[str]:
    """Files with tests that record their cases."""
    files = sorted(file for file in (ROOT / "tests").rglob("test_*.py") if "cases_of(" in file.read_text("utf-8"))
    return [file.relative_to(ROOT).as_posix() for file in files]


def main(folder: Path = FOLDER) -> int:
    """Print the page; 1 where nothing is recorded."""
    records = read_records(folder)
    if not records:
        print(f"error: {folder} has no records; run `make test-faults`", file=sys.stderr)
        return 1
    print(page(records, read_refusals(folder)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
