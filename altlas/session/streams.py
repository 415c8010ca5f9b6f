"""Standard streams of the command, whatever its caller has done with them."""

import os
import sys

_LAST = 2
"""Number of standard error, the last of the three."""


def open_standard_streams() -> None:
    """Open each standard stream that the caller has closed, on the null device.

    Otherwise the next file that is opened gets the stream's number, and what a program prints ends up in that file.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= _LAST:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
