"""A rotation with real servers: clients with the old and with the new password side by side, and not one is refused."""

import asyncio
import itertools
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nats
import pytest
import redis

from components.services import SERVICES, message_flows
from components.stores.nats import configuration as nats_configuration
from components.stores.nats import objects as nats_objects
from components.stores.postgres import objects as postgres_objects
from components.stores.redis import objects as redis_objects
from tests.data import nats_servers, redis_servers
from tests.support import postgres_servers
from tests.support.figures import Figures
from tests.support.loopback import platform_settings, wait_until

pytestmark = pytest.mark.data

PASSWORDS = tuple(f"{name}-password-of-forty-three-characters_____" for name in ("first", "other", "third"))
FIRST, SECOND, THIRD = PASSWORDS
Connect = Callable[[bool, str], None]
"""Opens a connection with the first or the second password, works, and closes it."""

_TRIES = 3
Change = Callable[[str, str], None]
"""Gives the running server a first and a second password."""


class Pod:
    """A client that connects, works and leaves without end, as a pod would with what it was given.

    Attributes:
        attempts: How often it has tried.
        refusals: What it was told when it failed.
    """

    def __init__(self, connect: Connect, second: bool, password: str) -> None:
        self.attempts, self.refusals = 0, list[str]()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(connect, second, password))

    def __enter__(self) -> "Pod":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _work(self, connect: Connect, second: bool, password: str) -> None:
        while not self._done.is_set():
            try:
                connect(second, password)
            except RefusedError as error:
                self.refusals.append(str(error))
            self.attempts += 1
            time.sleep(0.002)

    def works(self, times: int = 15) -> None:
        """Wait until it has tried so many times more."""
        goal = self.attempts + times
        wait_until(lambda: self.attempts >= goal, f"{times} more connections", 60)


class RefusedError(Exception):
    """The server did not let a client in."""


def persistent(connect: Connect) -> Connect:
    """A client that tries again as client libraries do when its connection is cut, and never when it is refused.

    Redis and NATS cut connections of users that have changed, and those that are just being opened, when they read
    their users.
    """

    def work(second: bool, password: str) -> None:
        for _ in range(_TRIES):
            try:
                connect(second, password)
            except (redis.RedisError, nats.errors.Error, OSError) as error:
                said = str(error)
                if isinstance(error, redis.AuthenticationError) or "Authorization" in said:
                    break
            else:
                return
        raise RefusedError(said)

    return work


@contextmanager
def redis_store(folder: Path) -> Iterator[tuple[Connect, Change]]:
    """One Redis server, whose users lie in a file that is swapped as the kubelet does."""
    with redis_servers.running(folder, redis_servers.redis_of("alpha")) as servers:

        def connect(_: bool, password: str) -> None:
            with redis_servers.connect(servers.entry, 6379, redis_objects.CALLER, password) as client:
                client.set("rotation", "works")

        def change(first: str, second: str) -> None:
            content = redis_objects.users_content((first, second), redis_servers.INTERNAL)
            _swap(folder / "redis-0/etc/users.acl", content["users.acl"])

        yield persistent(connect), change


@contextmanager
def nats_store(folder: Path) -> Iterator[tuple[Connect, Change]]:
    """One NATS server, likewise."""
    platform = platform_settings("alpha")
    with nats_servers.running(folder, platform) as servers:

        async def publish(second: bool, password: str) -> None:
            user = nats_configuration.user_of("runner-service", second=second)
            client = await nats.connect(
                f"nats://{user}:{password}@{servers.hosts[0]}:4222", allow_reconnect=False, connect_timeout=20
            )
            try:
                await client.publish("last.files", b"works")
                await client.flush(20)
            finally:
                await client.close()

        def connect(second: bool, password: str) -> None:
            asyncio.run(publish(second, password))

        def change(first: str, second: str) -> None:
            users = {"runner-service": first, "runner-service-2": second}
            passwords = nats_servers.PASSWORDS | users
            settings = nats_servers.nats_of(platform)
            content = nats_objects.users_content(settings, message_flows(SERVICES), passwords)
            _swap(folder / "nats-0/etc/accounts.conf", content["accounts.conf"])

        yield persistent(connect), change


@contextmanager
def postgres_store(folder: Path) -> Iterator[tuple[Connect, Change]]:
    """One PostgreSQL server; what the operator does with a changed Secret is done here by its own statement."""
    with postgres_servers.running(folder) as server:

        def connect(second: bool, password: str) -> None:
            url = postgres_objects.url("segmentation", password, second=second)
            # This build of the server has no TLS.
            url = url.replace("@postgres-db:5432", f"@{server.host}:{server.port}").replace(
                "sslmode=require", "sslmode=disable"
            )
            work = "CREATE TABLE IF NOT EXISTS rotation (); ALTER TABLE rotation ADD IF NOT EXISTS works text; SELECT 1"
            command = [str(postgres_servers.programs() / "psql"), url, "--no-psqlrc", "-qc", work]
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, env={**os.environ, "PGAPPNAME": "pod"}
            )
            if done.returncode:
                raise RefusedError(done.stderr.strip())

        def change(first: str, second: str) -> None:
            for role, password in (("segmentation", first), ("segmentation_2", second)):
                server.admin.query("postgres", f"ALTER ROLE {role} PASSWORD '{password}'")

        change(FIRST, SECOND)
        connect(True, SECOND)
        owner = server.admin.query("segmentation", "SELECT tableowner FROM pg_tables WHERE tablename = 'rotation'")
        assert "segmentation" in str(owner)
        assert "segmentation_2" not in str(owner), "what the second role makes belongs to the first"
        yield connect, change


STORES = {"redis": redis_store, "nats": nats_store, "postgres": postgres_store}
_numbers = itertools.count()


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[str, Connect, Change]]:
    """Each store with the first and the second password known to the server."""
    name = str(request.param)
    place = folder / f"{name}-{next(_numbers)}"
    if name != "postgres":
        place.mkdir()
    with STORES[name](place) as (connect, change):
        change(FIRST, SECOND)
        for second, password in ((False, FIRST), (True, SECOND)):
            wait_until(lambda: lets_in(connect, second, password), f"{name} knows both passwords")  # noqa: B023
        yield name, connect, change


def lets_in(connect: Connect, second: bool, password: str) -> bool:
    """True if the server takes a password."""
    try:
        connect(second, password)
    except RefusedError:
        return False
    return True


def test_no_client_is_refused_while_pods_roll_from_one_password_to_the_other(
    store: tuple[str, Connect, Change], figures: Figures
) -> None:
    """Pods with the old one, then both, then those with the new one while the server forgets the old one."""
    name, connect, change = store
    with Pod(connect, True, SECOND) as new:
        with Pod(connect, False, FIRST) as old:
            old.works()
            new.works()
        change(THIRD, SECOND)
        seconds = wait_until(lambda: not lets_in(connect, False, FIRST), f"{name} forgets the old password")
        new.works()
    assert (old.refusals, new.refusals) == ([], [])
    assert lets_in(connect, False, THIRD), "what the next rotation will use is known already"
    attempts = old.attempts + new.attempts
    figures.add(
        f"{name}: connections refused during a rotation", f"0 of {attempts}; old password gone in {seconds:.1f} s"
    )


def test_a_naive_rotation_refuses_the_pods_that_still_run(store: tuple[str, Connect, Change], figures: Figures) -> None:
    """The control run: the password in use is changed, and the same client sees it."""
    name, connect, change = store
    with Pod(connect, False, FIRST) as old:
        old.works()
        change(THIRD, SECOND)
        wait_until(lambda: len(old.refusals) >= 5, "the old pods are refused")
    assert len(old.refusals) >= 5
    figures.add(f"{name}: connections refused by a naive rotation", f"{len(old.refusals)} of {old.attempts}")


def _swap(path: Path, content: str) -> None:
    """Change a file at once, as the kubelet swaps what it has mounted."""
    new = path.with_suffix(".new")
    new.write_text(content)
    new.replace(path)
