"""What the user sees while programs are looked for, downloaded and built: lines on standard error."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

LINE_INTERVAL_SECONDS = 10.0
TERMINAL_INTERVAL_SECONDS = 1.0


class Reporter:
    """Owns one output stream and tells on it which activities run, and for how many seconds they have run.

    On a terminal one status line is rewritten each second; elsewhere every running activity gets a line every ten
    seconds. Safe to use from several threads.
    """

    def __init__(self, stream: TextIO | None = None, interval_seconds: float | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        default = TERMINAL_INTERVAL_SECONDS if self._terminal else LINE_INTERVAL_SECONDS
        self._interval = interval_seconds or default
        self._lock = threading.Lock()
        self._running: dict[str, float] = {}
        self._idle = threading.Event()

    def say(self, message: str) -> None:
        """Write one line that stays."""
        with self._lock:
            self._write(message)

    @contextmanager
    def activity(self, description: str) -> Iterator[None]:
        """Announce that something runs, keep telling so, and say at the end how long it took and whether it failed."""
        started = time.monotonic()
        self._begin(description, started)
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            self._end(description)
            self.say(f"{description}: {outcome} after {time.monotonic() - started:.1f} s")

    def _begin(self, description: str, started: float) -> None:
        with self._lock:
            self._write(f"{description} ...")
            first = not self._running
            self._running[description] = started
            if first:
                self._idle = threading.Event()
                threading.Thread(target=self._tick, args=(self._idle,), daemon=True).start()

    def _end(self, description: str) -> None:
        with self._lock:
            self._running.pop(description, None)
            if not self._running:
                self._idle.set()

    def _tick(self, idle: threading.Event) -> None:
        while not idle.wait(self._interval):
            with self._lock:
                if not idle.is_set():
                    self._show_running()

    def _show_running(self) -> None:
        now = time.monotonic()
        lines = [f"{description}: {now - started:.0f} s" for description, started in self._running.items()]
        if self._terminal:
            self._stream.write("\r\x1b[2K" + "; ".join(lines)[:118])
            self._stream.flush()
            return
        for line in lines:
            self._write(line)

    def _write(self, message: str) -> None:
        clear = "\r\x1b[2K" if self._terminal else ""
        self._stream.write(f"{clear}tools: {message}\n")
        self._stream.flush()
