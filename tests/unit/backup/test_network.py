"""The first connections of a pod, whose NetworkPolicies come a moment after it."""

import socket
import time
from threading import Timer

import pytest

from backup.network import addresses, wait


def free_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_an_address_that_refuses_at_first_is_waited_for() -> None:
    """As long as it takes and no longer."""
    port, listening = free_port(), []
    timer = Timer(0.5, lambda: listening.append(socket.create_server(("127.0.0.1", port))))
    timer.start()
    began = time.monotonic()
    wait([("127.0.0.1", port)], 20)
    took = time.monotonic() - began
    timer.join()
    listening[0].close()
    assert 0.4 < took < 10


def test_what_never_answers_is_left_to_the_client() -> None:
    """Its message names the cause; together they cost the time of one."""
    began = time.monotonic()
    wait([("127.0.0.1", free_port()), ("127.0.0.1", free_port()), ("no-such-host.invalid", 1)], 0.5)
    assert 0.4 < time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, []),
        ({"PGHOST": "/run/socket"}, []),
        (
            {"PGHOST": "postgres-db", "PGPORT": "5433", "S3_ENDPOINT": "https://s3.example.com"},
            [("postgres-db", 5433), ("s3.example.com", 443)],
        ),
        (
            {"REDIS_HOST": "redis", "REDIS_HOSTS": "redis-0.x redis-1.x", "S3_ENDPOINT": "https://s3:9000"},
            [("redis", 6379), ("redis-0.x", 6379), ("redis-1.x", 6379), ("s3", 9000)],
        ),
        ({"REDIS_HOST": "redis", "REDIS_HOSTS": "redis"}, [("redis", 6379)]),
        ({"NATS_URL": "nats://nats:4222"}, [("nats", 4222)]),
        ({"NATS_URL": "nats://nats-0:4222,nats://nats-1"}, [("nats-0", 4222), ("nats-1", 4222)]),
    ],
)
def test_all_that_the_variables_name_is_waited_for(variables: dict[str, str], found: list[tuple[str, int]]) -> None:
    """A restore test names nothing, and waits for nothing."""
    assert list(addresses(variables)) == found
