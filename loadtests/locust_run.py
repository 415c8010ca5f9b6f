"""Makes the requests of one load test with Locust: reads a target as JSON, writes what was measured as JSON.

The target is what the environment variable LOAD_TEST_TARGET says, as in a Job of the cluster, else standard input. Runs
as a process of its own (`python -m loadtests.locust_run`) in the environment of load tests, because Locust
replaces parts of the standard library when it is imported. Every user asks at an even pace, and waits for each answer.
"""

import json
import os
import sys
import time
from array import array
from collections import Counter
from dataclasses import asdict
from typing import Any

import gevent
from locust import constant_throughput, task
from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment

from loadtests.measure import TARGET_VARIABLE, LoadFigures, measured

_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 10.0
_GOLDEN_RATIO = 0.618034
"""Multiples of it are spread evenly between whole numbers, however many there are."""


class _Recorder:
    """Keeps the requests that begin and end within the measured time.

    Locust's own statistics round each time to two digits and know no warm-up.
    """

    def __init__(self, warm_up: float, seconds: float) -> None:
        self._begin = time.time() + warm_up
        self._end = self._begin + seconds
        self._milliseconds = array("d")
        self._failures: Counter[str] = Counter()

    def __call__(
        self, start_time: float, response_time: float, response: Any, exception: BaseException | None, **_: Any
    ) -> None:
        """Take one request from Locust's event."""
        if start_time < self._begin or time.time() > self._end:
            return
        if exception is None:
            self._milliseconds.append(response_time)
        else:
            status = getattr(response, "status_code", 0)
            self._failures[f"HTTP {status}" if status else type(exception).__name__] += 1

    def figures(self) -> LoadFigures:
        """Figures of the measurement."""
        return measured(self._end - self._begin, self._milliseconds, self._failures)


def user_class(url: str, rate_of_one: float) -> Any:
    """Class of users who ask for a URL so many times a second each."""
    begun = 0

    class OneUser(FastHttpUser):  # type: ignore[misc]
        host = url
        wait_time = constant_throughput(rate_of_one)
        connection_timeout = _CONNECT_SECONDS
        network_timeout = _ANSWER_SECONDS
        max_redirects = 0
        insecure = False

        def on_start(self) -> None:
            """Begin at a moment of one's own: users are started in groups, which would ask all at once."""
            nonlocal begun
            begun += 1
            gevent.sleep((begun * _GOLDEN_RATIO) % 1 / rate_of_one)

        @task  # type: ignore[untyped-decorator]
        def ask(self) -> None:
            self.client.get(url)

    return OneUser


def run(document: dict[str, Any]) -> LoadFigures:
    """Make the load and measure.

    Args:
        document: `url`, `users`, `requests_per_second`, `warm_up` and `seconds`.
    """
    users, warm_up, seconds = document["users"], document["warm_up"], document["seconds"]
    kind = user_class(document["url"], document["requests_per_second"] / users)
    environment = Environment(user_classes=[kind])
    runner = environment.create_local_runner()
    recorder = _Recorder(warm_up, seconds)
    environment.events.request.add_listener(recorder)
    # All users are there when the measurement begins.
    runner.start(users, spawn_rate=max(1.0, 2 * users / warm_up))
    gevent.sleep(warm_up + seconds)
    runner.quit()
    return recorder.figures()


if __name__ == "__main__":
    json.dump(asdict(run(json.loads(os.environ.get(TARGET_VARIABLE) or sys.stdin.read()))), sys.stdout)
