"""Progress on standard error while programs are looked for, downloaded and built."""

import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TextIO

_STATUS_INTERVAL_SECONDS = 1.0
_STATUS_CHARACTERS = 118


class Reporter:
    """Owns one output stream: a line when an activity starts, and one when it ends with its time and what is left.

    On a terminal, one status line below these is rewritten each second; elsewhere nothing is written in between.
    Safe to use from several threads.
    """

    def __init__(self, stream: TextIO | None = None, interval_seconds: float = _STATUS_INTERVAL_SECONDS) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._interval = interval_seconds
        self._lock = threading.Lock()
        self._running: dict[str, float] = {}
        self._left: list[str] = []
        self._idle = threading.Event()

    def expect(self, names: Collection[str]) -> None:
        """Count these names as left until an activity that provides them has ended."""
        with self._lock:
            self._left.extend(name for name in names if name not in self._left)

    def say(self, message: str) -> None:
        """Write one line that stays."""
        with self._lock:
            self._write(message)

    @contextmanager
    def activity(self, description: str, provides: Collection[str] = ()) -> Iterator[None]:
        """Say that something starts, and at its end how long it took, whether it failed, and what is left.

        Args:
            description: the program and what is done with it.
            provides: expected names that are no longer left when this has not failed.
        """
        started = time.monotonic()
        self._begin(description, started)
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            self._end(description)
            left = self._left_after(provides) if outcome == "done" else ""
            self.say(f"{description}: {outcome} after {time.monotonic() - started:.1f} s{left}")

    def _left_after(self, provides: Collection[str]) -> str:
        with self._lock:
            expected = bool(self._left) and bool(provides)
            self._left = [name for name in self._left if name not in provides]
            if not expected:
                return ""
            return f"; left: {', '.join(self._left)}" if self._left else "; nothing left"

    def _begin(self, description: str, started: float) -> None:
        with self._lock:
            self._write(f"{description} ...")
            first = not self._running
            self._running[description] = started
            if first and self._terminal:
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
        status = "; ".join(f"{description}: {now - started:.0f} s" for description, started in self._running.items())
        self._stream.write("\r\x1b[2K" + status[:_STATUS_CHARACTERS])
        self._stream.flush()

    def _write(self, message: str) -> None:
        clear = "\r\x1b[2K" if self._terminal else ""
        self._stream.write(f"{clear}tools: {message}\n")
        self._stream.flush()
