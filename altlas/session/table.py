"""Tables on standard output, by rich."""

import io
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

_UNLIMITED = 10_000
"""Width in characters where no terminal limits it, so that no cell is wrapped."""


def table_text(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The rows in columns below their headings, without a line break at the end.

    Bold headings and wrapped cells only on a terminal; a pipe or a file gets one line per row and no escape codes.
    """
    terminal = sys.stdout.isatty()
    width = None if terminal else _UNLIMITED
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=width, markup=False, emoji=False, highlight=False
    )
    table = Table(*headings, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold" if terminal else "")
    for row in rows:
        table.add_row(*row)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
