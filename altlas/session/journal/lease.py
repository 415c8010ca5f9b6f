"""Renewal of a lock in a bucket while a command runs, so that other machines can tell a dead holder from a living one.

Owns the renewal, and the end of a holder that could not renew: it writes nothing more, long before another machine may
take over. Does not own the judgement of other machines (`locks`). The times: a holder renews every 15 s and stops 45 s
after its last renewal; a request ends after 30 s, its repetitions after another 30; so nothing of a holder is written
later than 105 s after its last renewal, and others wait for 120.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from altlas.session.journal.bucket import BucketPath
from altlas.session.journal.locks import Lock
from altlas.session.journal.state_files import as_json

RENEWAL_SECONDS = 15
VALID_SECONDS = 45
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Also goes on while the machine sleeps."""

Check = Callable[[], None]
"""Raises OSError once the lock may be another machine's."""


@contextmanager
def kept(lock: Lock) -> Iterator[Check]:
    """Renew a lock until the block ends; one in a folder needs no renewal. Gives the check before each write."""
    path = lock.path
    if not isinstance(path, BucketPath):
        yield lambda: None
        return
    renewed, over = [_now()], Event()

    def check() -> None:
        if _now() - renewed[0] > VALID_SECONDS:
            raise OSError(f"the lock {path} was not renewed for {VALID_SECONDS} s, so another machine may take it over")

    def renew() -> None:
        while not over.wait(RENEWAL_SECONDS):
            with suppress(OSError):
                check()
                begun = _now()
                # Who removed the lock has taken the stack over.
                if path.exists():
                    path.write_bytes(as_json(lock.document))
                    renewed[0] = begun

    thread = Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield check
    finally:
        over.set()
        thread.join()


def _now() -> float:
    return time.clock_gettime(_CLOCK)
