"""Dumps of PostgreSQL's databases, and restores that are compared with the dump before anybody uses them."""

import itertools
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from backup import sealing
from backup.errors import BackupError
from backup.postgres_server import Content, PostgresServer, quoted, read_content
from backup.repository import Backup, Repository, identifier_of
from backup.store import Restored, stopwatch

_DUMP = ("pg_dump", "--format=custom", "--no-password", "--lock-wait-timeout=60s")
_RESTORE = ("pg_restore", "--exit-on-error", "--no-owner", "--no-privileges", "--no-password", "--single-transaction")

# No membership of a role covers large objects; their owner has to grant it.
_DEFAULT_GRANT = "ALTER DEFAULT PRIVILEGES GRANT SELECT ON LARGE OBJECTS TO {}"
_GRANTS = """SELECT format('GRANT SELECT ON LARGE OBJECT %s TO backup', oid) FROM pg_largeobject_metadata
WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = 'backup')"""

_LONGEST_NAME = 63

_OWNER = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"


def dump(server: PostgresServer, databases: Sequence[str], repository: Repository, key: bytes) -> str:
    """Dump databases, encrypted, and return the id of the backup.

    Raises:
        BackupError: A database is unknown, a client failed, or the volume is full. Earlier backups are untouched.
    """
    with repository.locked("dump"):
        client = server.check_client()
        unknown = sorted(set(databases) - set(server.databases()))
        if unknown or not databases:
            names = ", ".join(server.databases())
            raise BackupError(f"there is no database {', '.join(unknown) or '(none is named)'}; there are: {names}")
        taken_at = repository.free_second()
        with repository.new(taken_at) as folder:
            files = [_dump_one(server, database, folder.joinpath(f"{database}.dump"), key) for database in databases]
            versions = {"server_major": server.major(), "client_version": client}
            sealing.finish(folder, taken_at, key, files, versions)
    return identifier_of(taken_at)


def _dump_one(server: PostgresServer, database: str, path: Path, key: bytes) -> dict[str, Any]:
    # The figures are of the very moment that the dump sees.
    with server.snapshot(database) as (moment, ask):
        command = [*_DUMP, f"--snapshot={moment}", database]
        with subprocess.Popen(
            command, env=server.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as client:
            try:
                entry = sealing.seal(_pipe(client.stdout), path, key, {"database": database, "owner": ask(_OWNER)})
            except BaseException:
                client.terminate()
                raise
            said = _pipe(client.stderr).read().decode(errors="replace")
        if client.returncode:
            raise BackupError(f"pg_dump of {database} failed: {' '.join(said.split())}{_cure(said, server.user)}")
        return entry | {"content": read_content(ask)}


def _cure(said: str, role: str) -> str:
    if "permission denied for large object" not in said:
        return ""
    return f"; let the owner of the database run, before it makes large objects: {_DEFAULT_GRANT.format(role)}"


def restore(
    server: PostgresServer,
    repository: Repository,
    backup: Backup,
    names: Mapping[str, str],
    *,
    key: bytes,
    replace: bool,
) -> list[Restored]:
    """Restore databases of a backup, each under a name, and compare them with the dump.

    What has such a name already is replaced only on demand, and only when all copies are complete and compared: all at
    once or none. It stays beside them, each under a name of its own.

    Args:
        server: Where to restore; the role must be allowed to make databases.
        repository: Where the backup lies; one restore at a time works with it.
        backup: The backup to restore.
        names: Name that the copy gets by that of the database in the backup.
        key: Key of the backup.
        replace: Whether databases of these names may be renamed and kept.

    Raises:
        BackupError: The backup is damaged, the key is wrong, a name is taken, or a copy differs. Live data is
            untouched.
    """
    result = stopwatch(backup)
    with repository.locked("restore"):
        entries = {into: _entry(backup, database) for database, into in names.items()}
        sealing.check(backup, key)
        copies = _copy_names(server.databases(), names.values(), backup.id, replace=replace)
        rows: dict[str, int] = {}
        try:
            for into, entry in entries.items():
                rows[into] = _restore_copy(server, backup, entry, copies[into], key)
            taken = {into: copy for into, copy in copies.items() if into != copy}
            asides = _swap(server, taken, backup.id) if taken else {}
        except BaseException:
            for into in rows:
                server.query(server.home, f"DROP DATABASE IF EXISTS {quoted(copies[into])} WITH (FORCE)")
            raise
    return [result(database, into, rows[into], asides.get(into)) for database, into in names.items()]


def _copy_names(there: Sequence[str], names: Iterable[str], identifier: str, *, replace: bool) -> dict[str, str]:
    """Names of the copies by those that they get in the end; the same where nothing has the name."""
    copies = {into: _named(into, f"_restore_{identifier.lower()}") if into in there else into for into in names}
    taken = [into for into, copy in copies.items() if into != copy]
    if taken and not replace:
        raise BackupError(
            f"there is a database {', '.join(taken)}; restore under another name, or replace it with --replace"
        )
    left_over = [copies[into] for into in taken if copies[into] in there]
    if left_over:
        raise BackupError(
            f"{', '.join(left_over)} is left over from a restore that ended early; look at it, then drop it"
        )
    return copies


def _restore_copy(server: PostgresServer, backup: Backup, entry: Mapping[str, Any], copy: str, key: bytes) -> int:
    owner = quoted(entry["owner"])
    server.query(server.home, f"CREATE DATABASE {quoted(copy)} TEMPLATE template0 OWNER {owner}")
    try:
        _load(server, backup, entry, copy, key)
        _let_backups_read(server, copy, owner)
        return _compare(entry["content"], server.content(copy))
    except BaseException:
        server.query(server.home, f"DROP DATABASE {quoted(copy)} WITH (FORCE)")
        raise


def _let_backups_read(server: PostgresServer, copy: str, owner: str) -> None:
    """Give the role of the backups what the copy's next backup needs; privileges are not restored."""
    if grants := server.query(copy, _GRANTS).splitlines():
        statements = [f"SET ROLE {owner}", *grants, _DEFAULT_GRANT.format("backup")]
        server.query(copy, ";\n".join(statements))


def drill(server: PostgresServer, backup: Backup, key: bytes) -> list[Restored]:
    """Restore every database of a backup into a scratch one, compare it, and drop it.

    It takes no lock, for it writes nothing where the backups are.

    Raises:
        BackupError: The backup is damaged, the key is wrong, or a copy differs.
    """
    results, result = [], stopwatch(backup)
    sealing.check(backup, key)
    for entry in backup.manifest["files"]:
        scratch = f"drill_{entry['database']}_{int(time.time())}"
        rows = _restore_copy(server, backup, entry, scratch, key)
        server.query(server.home, f"DROP DATABASE {quoted(scratch)} WITH (FORCE)")
        results.append(result(entry["database"], "a server of the drill", rows, None))
    return results


def _entry(backup: Backup, database: str) -> Mapping[str, Any]:
    entries = {entry["database"]: entry for entry in backup.manifest["files"]}
    if database not in entries:
        raise BackupError(f"backup {backup.id} holds no database {database!r}; it holds: {', '.join(entries)}")
    found: Mapping[str, Any] = entries[database]
    return found


def _load(server: PostgresServer, backup: Backup, entry: Mapping[str, Any], into: str, key: bytes) -> None:
    with subprocess.Popen(
        [*_RESTORE, f"--role={entry['owner']}", "-d", into],
        env=server.environment(),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as client:
        try:
            _feed(sealing.opened(backup, entry["name"], key), _pipe(client.stdin))
            said = _pipe(client.stderr).read().decode(errors="replace")
        except BaseException:
            client.terminate()
            raise
    if client.returncode:
        raise BackupError(f"pg_restore into {into} failed: {' '.join(said.split())}")


def _feed(pieces: Iterable[bytes], pipe: IO[bytes]) -> None:
    try:
        for piece in pieces:
            pipe.write(piece)
        pipe.close()
    except BrokenPipeError:
        # The client has given up; its exit code and its message tell why.
        return


def _compare(wanted: Content, found: Content) -> int:
    differing = [
        f"{kind[:-1]} {name}: {wanted.get(kind, {}).get(name)} in the dump, {found[kind].get(name)} in the copy"
        # Manifests of earlier versions have no large objects, which nobody could dump then.
        for kind in ("tables", "sequences", "large objects")
        for name in sorted({*wanted.get(kind, {}), *found[kind]})
        if wanted.get(kind, {}).get(name) != found[kind].get(name)
    ]
    if differing:
        shown = "; ".join(itertools.islice(differing, 3))
        raise BackupError(f"the copy differs from the dump in {len(differing)} places and was dropped: {shown}")
    return sum(table["rows"] for table in found["tables"].values())


def _swap(server: PostgresServer, copies: Mapping[str, str], identifier: str) -> dict[str, str]:
    """Give copies the names of live databases, all in one transaction, and tell under which names those are kept."""
    asides = {into: _named(into, f"_before_{identifier.lower()}_{int(time.time())}") for into in copies}
    statements: list[str] = []
    for into in copies:
        literal = into.replace("'", "''")
        statements.append(
            f"ALTER DATABASE {quoted(into)} WITH ALLOW_CONNECTIONS false;\n"
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{literal}'"
        )
    statements.append("BEGIN")
    for into, copy in copies.items():
        statements += [
            f"ALTER DATABASE {quoted(into)} RENAME TO {quoted(asides[into])}",
            f"ALTER DATABASE {quoted(copy)} RENAME TO {quoted(into)}",
        ]
    try:
        server.query(server.home, ";\n".join([*statements, "COMMIT;\n"]))
    except BaseException:
        # A database that keeps its name must let its services in again.
        for into in copies:
            server.query(server.home, f"ALTER DATABASE {quoted(into)} WITH ALLOW_CONNECTIONS true")
        raise
    return asides


def _named(name: str, end: str) -> str:
    """A name with an end that PostgreSQL, which cuts longer ones, leaves whole."""
    return name[: _LONGEST_NAME - len(end)] + end


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise BackupError("the client has no pipe")
    return pipe
