"""Restores over live data that fail or are ended half way, with real servers: what was there is there again."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backup import postgres, redis_copy, sealing
from backup.errors import BackupError
from backup.redis_store import RedisStore
from backup.repository import Repository
from backup.store import RestoreOptions
from components.stores.redis import configuration as redis_configuration
from tests.data import debian, nats_servers, redis_servers
from tests.data.backup_command import KEY, SECRET, BackupCommand, nats_command, path_with
from tests.data.test_nats_dumps import MESSAGES, STREAM, held, publish, take
from tests.data.test_nats_dumps import command as nats_backups
from tests.support.documents import ROOT
from tests.support.loopback import platform_settings, wait_until
from tests.support.postgres_servers import Postgres, restored, running

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def server(folder: Path, postgres_clients: None) -> Iterator[Postgres]:  # noqa: ARG001  # fixture
    """A server with a row in each of two databases."""
    with running(folder / "server") as found:
        for name in ("archive", "segmentation"):
            found.server(name).query(name, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
        yield found


@pytest.fixture
def dumped(server: Postgres, tmp_path: Path) -> tuple[Repository, str]:
    """A repository with a dump of both; since then each has a second row."""
    repository = Repository(tmp_path, "postgres")
    identifier = postgres.dump(server.server("backup"), ["archive", "segmentation"], repository, KEY)
    for name in ("archive", "segmentation"):
        server.server(name).query(name, "DELETE FROM t; INSERT INTO t VALUES (1), (2)")
    return repository, identifier


def rows(server: Postgres, database: str) -> str:
    """Rows of the table, as the role of the service counts them."""
    return server.server(database).query(database, "SELECT count(*) FROM t")


def over_both(server: Postgres, dumped: tuple[Repository, str]) -> None:
    """Restore both databases over live data."""
    repository, identifier = dumped
    names = {name: name for name in ("archive", "segmentation")}
    postgres.restore(server.server("restore"), repository, repository.backup(identifier), names, key=KEY, replace=True)


def test_of_two_databases_both_are_replaced_or_none(
    server: Postgres, dumped: tuple[Repository, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first copy is complete when the second fails; it is dropped, and live data is what it was."""
    load, before = postgres._load, server.admin.databases()

    def fail(at: Any, backup: Any, entry: Any, *rest: Any) -> None:
        if entry["database"] == "segmentation":
            raise BackupError("pg_restore failed")
        load(at, backup, entry, *rest)

    monkeypatch.setattr(postgres, "_load", fail)
    with pytest.raises(BackupError, match="pg_restore failed"):
        over_both(server, dumped)
    assert server.admin.databases() == before
    assert (rows(server, "archive"), rows(server, "segmentation")) == ("2", "2")
    monkeypatch.undo()
    over_both(server, dumped)
    assert (rows(server, "archive"), rows(server, "segmentation")) == ("1", "1")


def test_a_database_whose_copy_cannot_take_its_name_lets_its_services_in_again(
    server: Postgres, dumped: tuple[Repository, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is closed for the moment of the exchange only, also where the exchange fails."""
    monkeypatch.setattr("backup.postgres.time.time", lambda: 1)
    in_the_way = f"segmentation_before_{dumped[1].lower()}_1"
    server.admin.query("postgres", f"CREATE DATABASE {in_the_way}")
    before = server.admin.databases()
    with pytest.raises(BackupError, match="already exists"):
        over_both(server, dumped)
    assert server.admin.databases() == before
    assert (rows(server, "archive"), rows(server, "segmentation")) == ("2", "2")


def test_a_long_name_leaves_room_for_the_one_under_which_its_data_are_kept(server: Postgres, tmp_path: Path) -> None:
    """PostgreSQL cuts names at 63 characters, and would say another one than was asked for."""
    repository, name = Repository(tmp_path, "postgres"), "a" * 61
    server.admin.query("postgres", f"CREATE DATABASE {name} OWNER archive")
    backup = repository.backup(postgres.dump(server.admin, [name], repository, KEY))
    done = restored(server.admin, repository, backup, name, into=name, key=KEY, replace=True)
    assert done.aside in server.admin.databases()
    assert done.aside is not None
    assert f"_before_{backup.id.lower()}_" in done.aside


def test_a_restore_that_is_ended_drops_its_copy(
    server: Postgres, dumped: tuple[Repository, str], tmp_path: Path
) -> None:
    """As the kubelet ends the pod of a Job whose deadline has passed."""
    slow = tmp_path / "bin" / "pg_restore"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o755)
    connection = {"PGHOST": str(server.folder), "PGPORT": str(server.port), "PGUSER": "postgres", "BACKUP_KEY": SECRET}
    path = f"{slow.parent}{os.pathsep}{os.environ['PATH']}"
    request = ("restore", "postgres", "--only", "archive", "--into", "ended", "--backup", dumped[1])
    with subprocess.Popen(
        [sys.executable, "-m", "backup", "--root", str(tmp_path), *request],
        cwd=ROOT,
        env=os.environ | connection | {"PATH": path},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_until(lambda: "ended" in server.admin.databases(), "the copy is there")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert said == "error: SIGTERM came before the end; what is not finished is undone\n"
    assert "ended" not in server.admin.databases()


def test_a_stream_that_cannot_be_restored_comes_back(tmp_path: Path) -> None:
    """It has one name and one place, so it is removed before; a server that then refuses gets it back from its dump."""
    import asyncio  # noqa: PLC0415

    fake, real, failed = tmp_path / "bin" / "nats", nats_command() / "nats", tmp_path / "failed"
    fake.parent.mkdir()
    with nats_servers.running(tmp_path / "servers", platform_settings("alpha")) as servers:
        asyncio.run(nats_servers.make_streams(servers, "alpha"))
        asyncio.run(publish(servers, MESSAGES))
        asyncio.run(take(servers))
        first = nats_backups(servers, tmp_path / "backups").answer("dump")["backup"]
        asyncio.run(publish(servers, 5))
        before = asyncio.run(held(servers))
        live = f'[ "$2" = restore ] && [ "$NATS_USER" = restore ] && [ ! -e "{failed}" ]'
        fake.write_text(
            f'#!/bin/sh\nif {live}; then touch "{failed}"; echo no room >&2; exit 1; fi\nexec "{real}" "$@"\n'
        )
        fake.chmod(0o755)
        backups = nats_backups(servers, tmp_path / "backups", PATH=path_with(fake.parent))
        refused = backups.refusal("restore", "--replace", "--backup", first)
        assert f"the stream {STREAM} could not be restored" in refused
        assert refused.endswith("what was there is there again")
        assert asyncio.run(held(servers)) == before


def test_a_copy_that_is_ended_half_way_leaves_no_keys_beside_live_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else they would take memory, and one of the few databases, for ever."""

    def end(*_: Any) -> int:
        sys.exit(1)

    with redis_servers.running(tmp_path / "servers", redis_servers.redis_of("alpha")) as servers:
        redis_servers.client(servers.entry).set("key", "value")
        variables = {
            "PATH": path_with(debian.redis()),
            "REDIS_HOST": servers.entry,
            "REDIS_PORT": str(redis_configuration.PORT),
            "REDIS_PASSWORD": redis_servers.PASSWORDS["backup"],
            "REDIS_RESTORE_PASSWORD": redis_servers.PASSWORDS["restore"],
        }
        backups = BackupCommand(Repository(tmp_path, "redis"), variables)
        backup = backups.repository.backup(backups.answer("dump")["backup"])
        sealing.check(backup, KEY)
        monkeypatch.setenv("PATH", variables["PATH"])
        monkeypatch.setattr(redis_copy, "_compared", end)
        with pytest.raises(SystemExit):
            RedisStore.from_environment(variables).restore(
                backups.repository, backup, KEY, RestoreOptions(replace=True)
            )
        target = RedisStore.from_environment(variables).target
        assert target.client(servers.entry).info("keyspace").keys() == {"db0"}
