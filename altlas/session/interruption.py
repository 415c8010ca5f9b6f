"""Interruption of a command while a program works for it: the program gets the time to end in order."""

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


def until_its_end(process: subprocess.Popen[str], follow: Callable[[], None], *, tell: bool) -> bool:
    """Wait until a program has ended, also after Ctrl-C or SIGTERM; return whether there was one.

    Python would kill the program a quarter of a second after Ctrl-C.

    Args:
        process: The program.
        follow: Reads its output until its end; called again after an interruption.
        tell: Whether to interrupt the program as well, because it is in a process group of its own.
    """
    interrupted = False
    with termination_as_interruption():
        while True:
            try:
                follow()
                process.wait()
            except KeyboardInterrupt:
                interrupted = True
                if tell and process.poll() is None:
                    process.send_signal(signal.SIGINT)
            else:
                return interrupted


@contextmanager
def termination_as_interruption() -> Iterator[None]:
    """Treat SIGTERM, which schedulers of jobs send, like Ctrl-C. Only the main thread can."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
