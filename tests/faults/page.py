"""`python -m tests.faults.page`: the page of reliability, from the records of the last `make test-faults`."""

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tests.faults.cases import FOLDER, Fault, Outcome, read_postponed, read_records, read_refusals
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

PAGE = ROOT / "docs" / "reliability.md"
Record = tuple[Fault, str, Outcome]
_FURTHER = " further cases, or groups of them."
_FILE = 5
"""Column of the file of the test."""


def page(
    records: Sequence[Record],
    refusals: Mapping[str, str] = MappingProxyType({}),
    earlier: Sequence[str] = (),
    postponed: Mapping[Fault, int] = MappingProxyType({}),
) -> str:
    """Text of the page: of each fault the cases that were tried last, with the commit at which they were.

    Args:
        records: Cases of the faults.
        refusals: Reasons for which this machine stages no fault, by the folder of the tests.
        earlier: Lines of the page before; rows of files that have no record now stay, as those of their commit,
            and so does what was not tried of them.
        postponed: Cases, or groups of them, for which the last run had no time.
    """
    known = [each for each in records if _is_known(each[0].test)]
    now = {fault.test.partition("::")[0] for fault, _, outcome in known if outcome.cases}
    kept = [row for row in earlier if (file := file_of(row)) and file not in now and (ROOT / file).exists()]
    rows = sorted((*kept, *_rows(known)))
    missing = _not_staged(known, {*map(file_of, rows)}, refusals)
    return "\n".join([*_heading(), *_table(rows), *_not_tried(postponed, kept, earlier), *missing])


def file_of(row: str) -> str | None:
    """File of the test of a row; None of another line."""
    cells = row.strip("| ").split(" | ")
    return cells[_FILE].strip("`") if len(cells) == _FILE + 2 and cells[_FILE].startswith("`") else None


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
    yield "page; a row of an earlier commit stays until the tests of its file are tried again, and `+` stands for files"
    yield "that differed from the commit, such as a stack file with its own secrets. Targets are explained in"
    yield "[evidence.md](evidence.md)."
    yield ""


def _table(rows: Sequence[str]) -> Iterator[str]:
    yield "| fault | promise | held | failures at most | target | test | commit |"
    yield "|---|---|---|---|---|---|---|"
    yield from rows
    yield ""


def _rows(records: Sequence[Record]) -> Iterator[str]:
    for fault, commit, outcome in (each for each in records if each[2].cases):
        held, file = f"{outcome.held:,} of {outcome.cases:,}", fault.test.partition("::")[0]
        cells = (_name(fault), fault.promise, held, outcome.most_failures, fault.target, f"`{file}`", f"`{commit}`")
        yield f"| {' | '.join(cells)} |"


def _not_tried(postponed: Mapping[Fault, int], kept: Sequence[str], earlier: Sequence[str]) -> Iterator[str]:
    """Cases for which there was no time: in the last run, and in those whose rows are kept."""
    names = {row.strip("| ").partition(" | ")[0] for row in kept}
    lines = [line for line in earlier if line.endswith(_FURTHER) and line[2:].rpartition(": ")[0] in names]
    lines += [f"- {_name(fault)}: {left}{_FURTHER}" for fault, left in postponed.items() if _is_known(fault.test)]
    if lines:
        yield "Not tried yet, as the time of a run was over; `make test-faults` goes on with them:"
        yield ""
        yield from sorted(lines)
        yield ""


def _name(fault: Fault) -> str:
    return fault.name if fault.subject == OURS else f"{fault.name}: {fault.subject}"


def _not_staged(records: Sequence[Record], tried: Collection[str | None], refusals: Mapping[str, str]) -> Iterator[str]:
    yield "Not staged here:"
    yield ""
    yield from (f"- {fault.name}: this machine refused it." for fault, _, outcome in records if not outcome.cases)
    refused = {fault.test.partition("::")[0] for fault, _, _ in records}
    for file in (each for each in _recording() if each not in refused and each not in tried):
        yield f"- `{file}`: {refusals.get(file.rpartition('/')[0], 'not run yet')}."
    yield from (f"- {name}: {reason}." for name, reason in NOT_STAGED.items())
    yield ""


def _recording() -> list[str]:
    """Files with tests that record their cases."""
    files = sorted(file for file in (ROOT / "tests").rglob("test_*.py") if "cases_of(" in file.read_text("utf-8"))
    return [file.relative_to(ROOT).as_posix() for file in files]


def main(folder: Path = FOLDER, earlier: Path = PAGE) -> int:
    """Print the page; 1 where nothing is recorded."""
    records = read_records(folder)
    if not records:
        print(f"error: {folder} has no records; run `make test-faults`", file=sys.stderr)
        return 1
    lines = earlier.read_text("utf-8").splitlines()
    print(page(records, read_refusals(folder), lines, read_postponed(folder)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
