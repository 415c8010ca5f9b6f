"""A writer and a reader that use a store without end, while it changes from one server to three and back."""

import random
import threading
import time
from asyncio import CancelledError
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

_PAUSE_SECONDS = 0.5
"""Shortest time without an answer that counts as unavailable."""


class Session(Protocol):
    """A connection to a store. Its methods raise any exception where the store does not answer."""

    def write(self, number: int) -> None:
        """Write a number; returns when the store has acknowledged it."""

    def read(self, number: int) -> bool:
        """Tell whether the store has a number that it has acknowledged."""

    def close(self) -> None:
        """End the connection."""


class Traffic:
    """One writer and one reader, each with a connection that it makes again after every failure.

    Attributes:
        answered: Numbers that the store has acknowledged.
        stale: Those of them that a later read did not find, such as from a primary that is being replaced.
        pauses: Seconds of each time without an answer, of the writer and of the reader.
    """

    def __init__(self, connect: Callable[[], Session], rest_seconds: float = 0.01) -> None:
        self.answered: list[int] = []
        self.stale: set[int] = set()
        self.pauses: dict[str, list[float]] = {"write": [], "read": []}
        self._connect, self._done, self._rest = connect, threading.Event(), rest_seconds
        self._numbers = iter(range(1, 1_000_000))
        self._threads = [
            threading.Thread(target=self._use, args=("write", self._write), daemon=True),
            threading.Thread(target=self._use, args=("read", self._read), daemon=True),
        ]

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            # What hangs here ends with the store.
            thread.join(30)

    def unavailable(self, what: str) -> tuple[float, float]:
        """The longest and the sum of the pauses, in seconds; then forget them."""
        found, self.pauses[what] = self.pauses[what], []
        return max(found, default=0.0), sum(found)

    def goes_on(self) -> Callable[[], bool]:
        """Tell, each time that it is asked, whether writes were answered since now."""
        before = len(self.answered)
        return lambda: len(self.answered) > before + 5

    def _write(self, session: Session) -> None:
        number = next(self._numbers)
        session.write(number)
        self.answered.append(number)

    def _read(self, session: Session) -> None:
        if self.answered:
            number = random.choice(self.answered)  # noqa: S311  # no secret
            if not session.read(number):
                self.stale.add(number)

    def _use(self, what: str, act: Callable[[Session], None]) -> None:
        session, last = None, time.monotonic()
        while not self._done.is_set():
            try:
                session = session or self._connect()
                act(session)
            # Whatever a client raises, the store has not answered; one that is closed cancels what it waits for.
            except (Exception, CancelledError):
                _close(session)
                session = None
            else:
                now = time.monotonic()
                if now - last > _PAUSE_SECONDS:
                    self.pauses[what].append(now - last)
                last = now
            time.sleep(self._rest)
        _close(session)


def _close(session: Session | None) -> None:
    if session:
        with suppress(Exception, CancelledError):
            session.close()
