"""A client that writes without end, and remembers what it was told."""

import threading
import time
from contextlib import suppress

import redis

from tests.data.redis_servers import RedisServers, client

_SECONDS = 2
"""After which a write counts as lost and the next one is tried."""


class Writer:
    """Writes numbers through the address that services know, until it is stopped.

    Attributes:
        answered: Numbers whose write was answered.
        confirmed: Those that a replica has confirmed as well (WAIT 1).
        longest_pause: Longest time between two answered writes, in seconds.
    """

    def __init__(self, servers: RedisServers) -> None:
        self.answered: set[int] = set()
        self.confirmed: set[int] = set()
        self.longest_pause = 0.0
        self._servers, self._done = servers, threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def has_written(self, number: int) -> bool:
        """True if so many writes were answered."""
        return len(self.answered) > number

    def _write(self) -> None:
        connected = client(self._servers.entry, seconds=_SECONDS)
        number, last = 0, time.monotonic()
        while not self._done.is_set():
            number += 1
            with suppress(redis.RedisError):
                connected.set(f"write:{number}", number)
                self.answered.add(number)
                self.longest_pause, last = max(self.longest_pause, time.monotonic() - last), time.monotonic()
                if connected.wait(1, 500) >= 1:
                    self.confirmed.add(number)
            time.sleep(0.002)
