"""PostgreSQL from one server to three and back: servers are there before a commit waits for them.

The servers are made here as the operator makes them (base backup, streaming); the operator itself does not run.
"""

import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.data.test_postgres_recovery import rows, standby_of, wait_for
from tests.data.traffic import Traffic
from tests.support.figures import Figures
from tests.support.loopback import wait_until
from tests.support.postgres_servers import Postgres, own, running

pytestmark = [pytest.mark.data, pytest.mark.usefixtures("postgres_clients")]

STANDBYS = ("standby_1", "standby_2")
SYNCHRONOUS = {"synchronous_standby_names": f"ANY 1 ({','.join(STANDBYS)})"}
IN_TOUCH = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"


class Caller:
    """A connection of a service; each of its statements has a session of its own."""

    def __init__(self, server: Postgres) -> None:
        self._query = server.admin.query

    def write(self, number: int) -> None:
        """Commit a row."""
        self._query("postgres", f"INSERT INTO log VALUES ({number})")  # noqa: S608

    def read(self, number: int) -> bool:
        """Tell whether a row is there."""
        return self._query("postgres", f"SELECT count(*) FROM log WHERE n = {number}") == "1"  # noqa: S608

    def close(self) -> None:
        """Nothing stays open."""


def set_to(primary: Postgres, settings: Mapping[str, str]) -> None:
    """Let a running server read other settings."""
    primary.settings = settings
    primary.configure()
    primary.admin.query("postgres", "SELECT pg_reload_conf()")


def added(primary: Postgres, folder: Path, names: Sequence[str] = STANDBYS) -> list[Postgres]:
    """Standbys, which stream."""
    made = []
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)
        standby = standby_of(primary, folder / name)
        standby.start()
        made.append(standby)
    wait_for(primary, IN_TOUCH, str(len(names)))
    return made


def test_the_round_trip_loses_no_confirmed_row_and_no_commit_waits_for_a_server_to_come(
    folder: Path, figures: Figures
) -> None:
    """Alpha, beta, alpha, beta, with a writer and a reader all the time."""
    place, standbys = folder / "round", list[Postgres]()
    place.mkdir()
    own(place)
    try:
        with running(place / "primary") as primary, Traffic(lambda: Caller(primary)) as traffic:
            primary.admin.query("postgres", "CREATE TABLE log (n int PRIMARY KEY)")
            for change in ("alpha to beta", "beta to alpha", "alpha to beta"):
                wait_until(traffic.goes_on(), "rows are confirmed before", 60)
                for what in ("write", "read"):
                    traffic.unavailable(what)
                if change == "alpha to beta":
                    standbys = added(primary, place)
                    set_to(primary, SYNCHRONOUS)
                else:
                    set_to(primary, {})
                    for standby in standbys:
                        standby.stop()
                wait_until(traffic.goes_on(), "rows are confirmed after", 60)
                longest = max(traffic.unavailable(what)[0] for what in ("write", "read"))
                figures.add(f"PostgreSQL, {change}", f"longest pause of writes and reads {longest:.1f} s")
            wait_until(lambda: set(traffic.answered) <= rows(standbys[0]), "a standby has every confirmed row", 60)
            lost = set(traffic.answered) - rows(primary)
        assert (lost, traffic.stale) == (set(), set())
        figures.add(
            "PostgreSQL, alpha to beta to alpha to beta", f"{len(traffic.answered)} rows confirmed, {len(lost)} lost"
        )
    finally:
        for standby in standbys:
            standby.stop(signal.SIGQUIT)


def test_in_one_step_every_commit_waits_until_a_standby_has_copied(folder: Path) -> None:
    """The reason for two steps: a commit that must wait for a second server, before there is one."""
    place, standbys = folder / "one-step", list[Postgres]()
    place.mkdir()
    own(place)
    try:
        with running(place / "primary") as primary:
            primary.admin.query("postgres", "CREATE TABLE log (n int PRIMARY KEY)")
            with Traffic(lambda: Caller(primary)) as traffic:
                wait_until(traffic.goes_on(), "rows are confirmed before", 60)
                set_to(primary, SYNCHRONOUS)
                time.sleep(0.5)
                before = len(traffic.answered)
                time.sleep(1.5)
                waited = len(traffic.answered) == before
                standbys = added(primary, place, STANDBYS[:1])
                wait_until(traffic.goes_on(), "rows are confirmed when a standby is there", 60)
        assert waited
    finally:
        for standby in standbys:
            standby.stop(signal.SIGQUIT)
