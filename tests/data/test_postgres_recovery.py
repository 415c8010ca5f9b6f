"""A real PostgreSQL that dies, fails over and goes back in time, with the settings that the program gives it."""

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backup.errors import BackupError
from backup.postgres_server import PostgresServer
from backup.recovery import earliest_moment, recovery_configuration
from components.stores.postgres.replication import parameters
from tests.support.figures import Figures
from tests.support.loopback import wait_until
from tests.support.postgres_servers import Postgres, own, running

pytestmark = [pytest.mark.data, pytest.mark.usefixtures("postgres_clients")]
ROUNDS = 5
COMMITTED = "SELECT n, pg_xact_commit_timestamp(xmin) FROM log ORDER BY n"
KILLS = 3
CARELESS_KILLS = 10
SYNCHRONOUS = {"synchronous_standby_names": "ANY 1 (standby)", "synchronous_commit": "on"}


@dataclass
class Writer:
    """Writes one row after another and remembers which the server has confirmed.

    Attributes:
        server: Where it writes.
        first: Number of the first row.
        confirmed: Numbers of the rows whose commit was confirmed, with the time of it.
    """

    server: PostgresServer
    first: int = 1
    confirmed: dict[int, float] = field(default_factory=dict)

    def write(self, rows: int = 100_000) -> None:
        """Write until the server is gone or all rows are there."""
        numbers = range(self.first, self.first + rows)
        statements = "".join(f"INSERT INTO log (n) VALUES ({n}) RETURNING n;\n" for n in numbers)  # noqa: S608
        with subprocess.Popen(
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", "postgres"],
            env=self.server.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as session:
            feeder = threading.Thread(target=self._feed, args=(session, statements), daemon=True)
            feeder.start()
            for line in session.stdout or ():
                self.confirmed[int(line)] = time.monotonic()
            feeder.join()

    @staticmethod
    def _feed(session: "subprocess.Popen[str]", statements: str) -> None:
        try:
            if session.stdin:
                session.stdin.write(statements)
                session.stdin.close()
        except OSError:
            # The server is gone, which is the point of the test.
            return

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Write beside the block, at least one hundred rows before it begins."""
        thread = threading.Thread(target=self.write, daemon=True)
        thread.start()
        wait_until(lambda: len(self.confirmed) >= 100, "one hundred rows of the writer", 60)
        yield
        thread.join(60)


def rows(server: Postgres) -> set[int]:
    """Rows that are there."""
    printed = server.admin.query("postgres", "SELECT n FROM log")
    return {int(line) for line in printed.splitlines()}


def killed_and_started(server: Postgres, kill: int) -> tuple[Writer, float]:
    """Kill a server in the middle of writing and start it; what was written, and the seconds of the start."""
    writer = Writer(server.admin, first=1 + kill * 1_000_000)
    with writer.busy():
        server.stop(signal.SIGKILL)
    (server.data / "postmaster.pid").unlink(missing_ok=True)
    began = time.monotonic()
    server.start()
    return writer, time.monotonic() - began


def test_a_killed_server_has_every_confirmed_row(folder: Path, figures: Figures) -> None:
    """SIGKILL in the middle of writing; what was confirmed is there when it comes back."""
    with running(folder / "killed") as server:
        server.admin.query("postgres", "CREATE TABLE log (n int PRIMARY KEY)")
        lost, total, seconds = 0, 0, []
        for kill in range(KILLS):
            writer, took = killed_and_started(server, kill)
            seconds.append(took)
            lost += len(writer.confirmed.keys() - rows(server))
            total += len(writer.confirmed)
    assert lost == 0
    figures.add(
        f"PostgreSQL, {KILLS} kills", f"{lost} of {total} confirmed rows lost, back after {max(seconds):.2f} s at most"
    )


def test_without_a_flush_at_commit_the_harness_could_lose_rows(folder: Path) -> None:
    """The control run: a commit that is confirmed before it is written can be lost, and the test would see it.

    Not by every kill: now and then all that was confirmed has just been written.
    """
    settings = {"synchronous_commit": "off", "wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"}
    with running(folder / "careless", settings) as server:
        server.admin.query("postgres", "CREATE TABLE log (n int PRIMARY KEY); CHECKPOINT")
        assert any(
            killed_and_started(server, kill)[0].confirmed.keys() - rows(server) for kill in range(CARELESS_KILLS)
        )


def test_a_synchronous_replica_takes_over_without_loss(folder: Path, figures: Figures) -> None:
    """The primary is killed while it writes; the replica has every confirmed row and accepts new ones."""
    with running(folder / "primary") as primary:
        primary.admin.query("postgres", "CREATE TABLE log (n int PRIMARY KEY)")
        standby = standby_of(primary, folder / "standby")
        try:
            standby.start()
            primary.settings = SYNCHRONOUS
            primary.configure()
            primary.admin.query("postgres", "SELECT pg_reload_conf()")
            wait_for(primary, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'", "1")
            writer = Writer(primary.admin)
            with writer.busy():
                primary.stop(signal.SIGKILL)
                died = time.monotonic()
                standby.admin.query("postgres", "SELECT pg_promote(true, 30)")
                standby.admin.query("postgres", "INSERT INTO log VALUES (0)")
                seconds = time.monotonic() - died
            lost = writer.confirmed.keys() - rows(standby)
        finally:
            standby.stop(signal.SIGQUIT)
    assert lost == set()
    assert seconds < 10
    figures.add(
        "PostgreSQL, failover to the synchronous replica", f"{seconds:.2f} s, 0 of {len(writer.confirmed)} rows lost"
    )


def test_the_log_for_an_absent_standby_has_a_bound_that_a_running_server_takes(folder: Path) -> None:
    """Its slot keeps all of the log without the bound, which is the control, and no longer with it."""

    def state() -> str:
        for _ in range(8):
            server.admin.query("postgres", "SELECT pg_create_restore_point('a'), pg_switch_wal()")
        server.admin.query("postgres", "CHECKPOINT")
        return server.admin.query("postgres", "SELECT wal_status FROM pg_replication_slots").strip()

    with running(folder / "absent") as server:
        server.admin.query("postgres", "SELECT pg_create_physical_replication_slot('standby', true)")
        assert state() == "reserved"
        server.settings = parameters("200Mi")
        server.configure()
        server.admin.query("postgres", "SELECT pg_reload_conf()")
        wait_for(server, "SHOW max_slot_wal_keep_size", "60MB")
        assert state() == "lost"


def test_recovery_stops_exactly_at_the_chosen_moment(folder: Path, figures: Figures) -> None:
    """Every row that was committed until then is there, and none that came later."""
    archive = folder / "archive"
    archive.mkdir()
    own(archive)
    settings = {
        "archive_mode": "on",
        "archive_command": f"test ! -f {archive}/%f && cp %p {archive}/%f",
        "track_commit_timestamp": "on",
    }
    with running(folder / "archived", settings) as server:
        server.admin.query("postgres", "CREATE TABLE log (n int PRIMARY KEY)")
        too_early = server.admin.query("postgres", "SELECT now()")
        base = Postgres(folder / "base")
        own_folder(base.folder)
        copy_of(server, base)
        wait_until(lambda: bool(list(archive.glob("*.backup"))), "the end of the base backup in the archive", 20)
        # The end of a base backup is known to the second.
        time.sleep(max(0.0, (earliest_moment(archive) - datetime.now(UTC)).total_seconds()))
        moments = []
        for round_number in range(ROUNDS):
            Writer(server.admin, first=1 + round_number * 1000).write(200)
            moments.append(server.admin.query("postgres", "SELECT clock_timestamp()"))
            time.sleep(0.02)
        committed = server.admin.query("postgres", COMMITTED).splitlines()
        Writer(server.admin, first=900_000).write(1)
        server.admin.query("postgres", "SELECT pg_switch_wal()")
        wait_for(
            server,
            "SELECT last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 16777216) FROM pg_stat_archiver",
            "t",
        )
    stamps = dict(line.split("|") for line in committed)
    seconds = []
    for round_number, moment in enumerate(moments):
        expected = {int(n) for n, at in stamps.items() if at <= moment}
        began = time.monotonic()
        assert recovered(folder / f"round-{round_number}", base, archive, moment) == expected
        seconds.append(time.monotonic() - began)
        assert len(expected) == 200 * (round_number + 1)
    with pytest.raises(BackupError, match="lies before the first write-ahead log; the earliest moment is"):
        recovery_configuration(archive, datetime.fromisoformat(too_early))
    figures.add(
        "PostgreSQL, point-in-time recovery",
        f"{ROUNDS} of {ROUNDS} rounds exact, RTO {max(seconds):.2f} s at most, RPO 0 rows",
    )


def recovered(target: Path, base: Postgres, archive: Path, moment: str) -> set[int]:
    """Rows of a server that was recovered to a moment."""
    server = Postgres(target)
    own_folder(target)
    subprocess.run(["cp", "-a", str(base.data), str(server.data)], check=True)
    server.settings = recovery_configuration(archive, datetime.fromisoformat(moment))
    server.configure()
    own(server.data / "recovery.signal", create=True)
    try:
        server.start()
        wait_for(server, "SELECT pg_is_in_recovery()", "f")
        return rows(server)
    finally:
        server.stop(signal.SIGQUIT)


def own_folder(path: Path) -> None:
    """Make a folder for a server."""
    path.mkdir()
    own(path).chmod(0o700)


def standby_of(primary: Postgres, folder: Path) -> Postgres:
    """A standby that will stream from its primary; its folder gives the name. It is not started yet."""
    standby = Postgres(folder)
    own_folder(folder)
    copy_of(primary, standby)
    conninfo = f"host={primary.folder} port={primary.port} user=postgres application_name={folder.name}"
    standby.settings = {"primary_conninfo": conninfo}
    standby.configure()
    own(standby.data / "standby.signal", create=True)
    return standby


def copy_of(server: Postgres, copy: Postgres) -> None:
    """A base backup of a running server."""
    copy.run(
        "pg_basebackup",
        "-h",
        str(server.folder),
        "-p",
        str(server.port),
        "-U",
        "postgres",
        "-D",
        str(copy.data),
        "--checkpoint=fast",
        "--no-sync",
    )


def wait_for(server: Postgres, question: str, answer: str) -> None:
    """Wait until a server gives an answer."""
    wait_until(lambda: server.admin.query("postgres", question) == answer, question, 60)
