"""`python -m tests.faults.promises`: figures beside the promises of docs/operating.md, from docs/reliability.md.

A promise links to its figure; the title of the link names the fault: `[250 of 250](reliability.md "state removed")`.
A title may name several, separated by `; `, and one that ends with `*` means all that begin so.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support.documents import ROOT

OPERATING, RELIABILITY = ROOT / "docs" / "operating.md", ROOT / "docs" / "reliability.md"
NOT_RUN = "not in the last run"
FIGURE = re.compile(r'\[([^][]*)\]\(reliability\.md "([^"]+)"\)')
_ROW = re.compile(r"^\| (?P<name>[^|]+) \| [^|]+ \| (?P<held>[\d,]+) of (?P<cases>[\d,]+) \|", re.MULTILINE)
_BASELINE = re.compile(r": (?:helm|plain Pulumi)$")


def rows(page: str) -> dict[str, tuple[int, int]]:
    """Cases that held and all cases of each fault of the page, without those of other programs."""
    found = {row["name"]: (row["held"], row["cases"]) for row in _ROW.finditer(page)}
    return {
        name: (int(held.replace(",", "")), int(cases.replace(",", "")))
        for name, (held, cases) in found.items()
        if not _BASELINE.search(name)
    }


def figure(title: str, known: dict[str, tuple[int, int]]) -> str:
    """Sum over the faults that a title names; words instead where one of them is not on the page."""
    faults = [list(named(each, known)) for each in title.split("; ")]
    if not all(faults):
        return NOT_RUN
    held, cases = (sum(known[name][place] for names in faults for name in names) for place in (0, 1))
    return f"{held:,} of {cases:,}"


def named(entry: str, known: Iterable[str]) -> Iterator[str]:
    """Faults that one entry of a title means."""
    beginning = entry.removesuffix("*")
    return (name for name in known if name == entry or (beginning != entry and name.startswith(beginning)))


def with_figures(text: str, page: str) -> str:
    """A text whose links to figures say what the page of reliability says."""
    known = rows(page)
    return FIGURE.sub(lambda link: f'[{figure(link[2], known)}](reliability.md "{link[2]}")', text)


def main(operating: Path = OPERATING, reliability: Path = RELIABILITY) -> None:
    """Write the figures."""
    operating.write_text(with_figures(operating.read_text("utf-8"), reliability.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
