"""Cases of a fault: which are finished, how many held, and the exact bound that follows.

Owns the files of finished cases below `.altlas/faults`, so that a harness that was ended half way goes on where it was.
Does not own what a case does (the tests) nor the page (`tests.faults.page`).
"""

import json
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from math import exp, inf, lgamma, log, log1p
from pathlib import Path

from tests.support.documents import ROOT

FOLDER = ROOT / ".altlas" / "faults"
"""Place of the records of `make test-faults`."""

_REFUSALS, _RECORD, _POSTPONED = "refusals.json", ".jsonl", ".postponed"
CONFIDENCE = 0.95
_STEPS = 60


@dataclass(frozen=True)
class Fault:
    """A fault and the promise that holds in spite of it.

    Attributes:
        name: What is done.
        promise: What holds.
        target: Where it was tried, as docs/evidence.md names it.
        test: The test, as pytest names it.
        subject: The program that is tried; another one than `altlas` is a baseline.
    """

    name: str
    promise: str
    target: str
    test: str
    subject: str = "altlas"


@dataclass(frozen=True)
class Outcome:
    """Finished cases of a fault.

    Attributes:
        held: Cases in which the promise held.
        cases: All finished cases.
    """

    held: int
    cases: int

    def __str__(self) -> str:
        return f"{self.held} of {self.cases} held, at most {self.most_failures} fail (95 %, exact)"

    @property
    def most_failures(self) -> str:
        """Upper end of the interval in percent, with two digits."""
        share = most_failures(self.cases - self.held, self.cases)
        return f"{float(f'{100 * share:.2g}'):g} %"


def most_failures(failed: int, cases: int) -> float:
    """Upper end of the exact one-sided interval of Clopper and Pearson: the largest share that fits what was seen.

    Args:
        failed: Cases that failed.
        cases: All cases; with none of them, any share fits.
    """
    if failed >= cases:
        return 1.0
    ways = [lgamma(cases + 1) - lgamma(one + 1) - lgamma(cases - one + 1) for one in range(failed + 1)]
    low, high = failed / cases, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        seen = sum(exp(way + n * log(middle) + (cases - n) * log1p(-middle)) for n, way in enumerate(ways))
        low, high = (middle, high) if seen > 1 - CONFIDENCE else (low, middle)
    return high


class Cases:
    """Cases of one fault, each tried once for a commit."""

    def __init__(self, fault: Fault, folder: Path, commit: str, seconds: float = inf) -> None:
        """Read what was finished at this commit; a case whose line was cut, and those of another commit, come again.

        Args:
            fault: The fault.
            folder: Where the cases of all faults are noted.
            commit: What is tried.
            seconds: Time after which no further case begins; the next run goes on.
        """
        self._seconds = seconds
        heading = json.dumps({**asdict(fault), "commit": commit})
        name = "".join(one if one.isalnum() else "-" for one in f"{fault.subject}-{fault.name}".lower())
        self._file = folder / f"{name}{_RECORD}"
        self._postponed = self._file.with_suffix(_POSTPONED)
        self._postponed.unlink(missing_ok=True)
        lines = self._file.read_text("utf-8").split("\n") if self._file.exists() else []
        whole = lines[1:-1] if lines[:1] == [heading] else []
        folder.mkdir(parents=True, exist_ok=True)
        # Without a last line that was cut, to which the next case would be appended.
        self._file.write_text("".join(f"{line}\n" for line in (heading, *whole)), "utf-8")
        self._finished = dict(_finished(whole))

    def left(self, keys: Iterable[str]) -> Iterator[str]:
        """Cases that are not finished, the first of them in any case; those for which no time is left are noted."""
        keys = [key for key in keys if key not in self._finished]
        until = time.monotonic() + self._seconds
        for place, key in enumerate(keys):
            if place and time.monotonic() > until:
                self._postponed.write_text(str(len(keys) - place), "utf-8")
                return
            yield key

    def finish(self, key: str, *, held: int, of: int = 1) -> None:
        """Note the end of a case, or of many under one key."""
        self._finished[key] = Outcome(held, of)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps([key, int(held), of])}\n")

    @contextmanager
    def trying(self, key: str) -> Iterator[None]:
        """Note the end of a case: the promise held if the block raises nothing. A skip is no end."""
        try:
            yield
        except Exception:
            self.finish(key, held=False)
            raise
        self.finish(key, held=True)

    @property
    def outcome(self) -> Outcome:
        """Finished cases so far."""
        return _sum(self._finished)

    @property
    def broken(self) -> list[str]:
        """Keys under which the promise did not hold."""
        return [key for key, one in self._finished.items() if one.held < one.cases]


def read_records(folder: Path = FOLDER) -> list[tuple[Fault, str, Outcome]]:
    """All recorded faults with the commit of their cases and what was seen, in the order of their names."""
    found = []
    for file in sorted(folder.glob(f"*{_RECORD}")):
        fault, commit, lines = _read(file)
        found.append((fault, commit, _sum(dict(_finished(lines)))))
    return found


def read_postponed(folder: Path = FOLDER) -> dict[Fault, int]:
    """Number of cases, or of groups of them, for which the last run had no time, by their fault."""
    files = sorted(folder.glob(f"*{_POSTPONED}"))
    return {_read(file.with_suffix(_RECORD))[0]: int(file.read_text("utf-8")) for file in files}


def _read(file: Path) -> tuple[Fault, str, list[str]]:
    """Fault and commit of a record, and its whole lines."""
    first, *lines = file.read_text("utf-8").split("\n")[:-1]
    heading = json.loads(first)
    commit: str = heading.pop("commit")
    return Fault(**heading), commit, lines


def note_refusal(place: str, reason: str | None, folder: Path = FOLDER) -> None:
    """Note why this machine stages no fault of a folder of tests; None where it does."""
    known = {**read_refusals(folder), place: reason}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _REFUSALS).write_text(json.dumps({key: each for key, each in known.items() if each}), "utf-8")


def read_refusals(folder: Path = FOLDER) -> dict[str, str]:
    """Reasons for which this machine stages no fault, by the folder of the tests."""
    file = folder / _REFUSALS
    found: dict[str, str] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return found


def current_commit() -> str:
    """Commit of this checkout, and a digest of what differs from it outside of docs/."""
    commit = _git("rev-parse", "--short=12", "HEAD").decode().strip()
    difference = _git("diff", "HEAD", "--", ".", ":!docs")
    return f"{commit}+{sha256(difference).hexdigest()[:8]}" if difference else commit


def _git(*arguments: str) -> bytes:
    return subprocess.check_output(["git", *arguments], cwd=ROOT)


def _sum(finished: Mapping[str, Outcome]) -> Outcome:
    return Outcome(sum(one.held for one in finished.values()), sum(one.cases for one in finished.values()))


def _finished(lines: Iterable[str]) -> Iterator[tuple[str, Outcome]]:
    for line in lines:
        key, held, cases = json.loads(line)
        yield key, Outcome(held, cases)
