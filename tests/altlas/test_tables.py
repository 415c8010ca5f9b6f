"""Tables: one line per row in a pipe, bold headings on a terminal."""

import os
import pty
import subprocess
import sys

from altlas.backup.listing import split_list
from altlas.session.table import table_text
from tests.support.documents import ROOT


def test_a_pipe_gets_one_line_per_row_and_no_escape_codes() -> None:
    """However long a cell is; brackets and colons are text."""
    long = "x" * 500
    text = table_text(("NAME", "IMAGE"), [("a[bold]", long), ("b", ":smile:")])
    assert text.splitlines() == ["NAME     IMAGE", f"a[bold]  {long}", "b        :smile:"]


def test_a_terminal_gets_bold_headings() -> None:
    """In a process whose standard output is a pseudo terminal."""
    leader, follower = pty.openpty()
    code = "from altlas.session.table import table_text; print(table_text(('NAME',), [('a',)]))"
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": ""}
    environment.pop("NO_COLOR")
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=follower, check=True)
    assert os.read(leader, 1000).startswith(b"\x1b[1m")
    for descriptor in (leader, follower):
        os.close(descriptor)


def test_the_list_of_backups_is_told_from_the_other_lines_of_a_log() -> None:
    """`kubectl logs` mixes what a Job prints and what it complains about."""
    log = '{"backup": "20260131T010000Z", "size": 3}\nwarning: slow volume\n\n{"other": 1}\n'
    assert split_list(log) == (
        [{"backup": "20260131T010000Z", "size": 3}],
        ["warning: slow volume", '{"other": 1}'],
    )
    assert split_list("") == ([], [])
