"""A volume of a store is full: what was confirmed is kept, and writes go on when there is room again.

The volume is a file system in memory with a size of its own, which needs root. Another file fills it, as the limits of
the store keep it from doing so.
"""

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from nats.errors import Error as NatsError

from backup.errors import BackupError
from tests.data import nats_servers, redis_servers
from tests.data.nats_servers import connect, make_streams, send
from tests.data.nats_session import PUBLISHER, SUBJECT
from tests.data.redis_servers import client, redis_of
from tests.faults.cases import Cases
from tests.faults.conftest import all_faults, cases_of
from tests.support.figures import Figures
from tests.support.loopback import platform_settings, wait_until
from tests.support.postgres_servers import own, running

__all__ = ["all_faults", "cases_of"]
pytestmark = [pytest.mark.data, pytest.mark.usefixtures("postgres_clients")]

_SIZE = 300
_MEBIBYTE = 2**20
_LEFT = 40
_LARGE = "x" * (_MEBIBYTE // 2)
_MOST = 200
"""Writes of half a MiB, which are more than there is room for."""

TRIES = 10
Repeated = Callable[[str, Callable[[str], None]], None]
PROMISE = "writes are refused, what was confirmed is kept, and writes go on when there is room again"


@contextmanager
def volume(folder: Path) -> Iterator[Path]:
    """A file system of its own at a folder, of 300 MiB."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ("mount", "-t", "tmpfs", "-o", f"size={_SIZE}m", "tmpfs", str(folder))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"not proven here: a full volume: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)


def fill(folder: Path, left: int) -> Path:
    """A file that leaves so many MiB of a volume."""
    file = folder / "of-another"
    free = shutil.disk_usage(folder).free - left * _MEBIBYTE
    with file.open("wb") as out:
        for _ in range(free // _MEBIBYTE):
            out.write(b"x" * _MEBIBYTE)
    return file


def written_until_refused(write: Callable[[int], object]) -> list[int]:
    """Numbers that were confirmed before the first one that was not."""
    confirmed: list[int] = []
    for number in range(_MOST):
        try:
            write(number)
        except (BackupError, redis.RedisError, NatsError, TimeoutError):
            return confirmed
        confirmed.append(number)
    raise AssertionError("no write was refused")


@pytest.fixture
def repeated(cases_of: Callable[..., Cases], figures: Figures, *, all_faults: bool) -> Repeated:
    """Runs the cases of a store, each of which holds if it raises nothing."""

    def run(store: str, case: Callable[[str], None]) -> None:
        cases = cases_of(f"volume of {store} full", PROMISE, "process")
        for key in cases.left(map(str, range(TRIES if all_faults else 1))):
            with cases.trying(key):
                case(key)
        figures.add(f"faults: volume of {store} full", str(cases.outcome))
        assert cases.broken == []

    return run


def test_postgresql_keeps_what_it_has_confirmed(folder: Path, repeated: Repeated) -> None:
    """It refuses by itself, and writes again without a restart."""

    def case(key: str) -> None:
        with volume(own(folder) / key) as place:
            own(place).chmod(0o700)
            with running(place) as server:
                query = server.admin.query
                query("postgres", "CREATE TABLE log (n int PRIMARY KEY, text text)")
                # Such values are compressed to nothing otherwise.
                query("postgres", "ALTER TABLE log ALTER text SET STORAGE EXTERNAL")

                def write(number: int) -> str:
                    return query("postgres", f"INSERT INTO log VALUES ({number}, '{_LARGE}')")  # noqa: S608

                other = fill(place, _LEFT)
                confirmed = written_until_refused(write)
                other.unlink()
                write(_MOST)
                found = {int(line) for line in query("postgres", "SELECT n FROM log").split()}
                assert found == {*confirmed, _MOST}
                assert confirmed

    repeated("PostgreSQL", case)


def test_redis_keeps_what_it_has_confirmed(tmp_path: Path, repeated: Repeated) -> None:
    """It refuses by itself, writes again without a restart, and has everything after one."""

    def case(key: str) -> None:
        data = tmp_path / key / "redis-0" / "data"
        with volume(data), redis_servers.running(tmp_path / key, redis_of("alpha")) as servers:
            server = client(servers.entry)
            other = fill(data, _LEFT)
            confirmed = written_until_refused(lambda number: server.set(f"api-gateway:{number}", _LARGE))
            other.unlink()
            wait_until(servers.accepts, "writes are accepted again", 30)
            (process,) = servers.servers
            process.kill()
            process.start()
            wait_until(servers.accepts, "it is back", 30)
            assert [number for number in confirmed if not server.exists(f"api-gateway:{number}")] == []
            assert confirmed

    repeated("Redis", case)


def test_nats_keeps_what_it_has_acknowledged(tmp_path: Path, repeated: Repeated) -> None:
    """A stream that could not be written stays closed, so the server ends when there is room, and is started again."""

    def case(key: str) -> None:
        data = tmp_path / key / "nats-0" / "data"
        with volume(data), nats_servers.running(tmp_path / key, platform_settings("alpha")) as servers:
            asyncio.run(make_streams(servers, "alpha"))
            (process,) = servers.processes
            other = fill(data, _LEFT)
            confirmed = written_until_refused(lambda number: asyncio.run(publish(servers, number)))
            assert process.runs
            other.unlink()
            wait_until(lambda: not process.runs, "the server ends", 30)
            servers.start()
            asyncio.run(publish(servers, _MOST))
            kept = asyncio.run(make_streams(servers, "alpha")).state.messages
            assert kept >= len(confirmed) + 1
            assert confirmed

    repeated("NATS", case)


async def publish(servers: nats_servers.NatsServers, number: int) -> None:
    """Publish a large message and wait until it is acknowledged."""
    publisher = await connect(servers, PUBLISHER)
    try:
        await send(publisher.jetstream(timeout=2), SUBJECT, _LARGE.encode(), {"Nats-Msg-Id": str(number)})
    finally:
        await publisher.close()
