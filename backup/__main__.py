"""The command of the backup image: `python -m backup dump|list|check|restore|drill`.

The server and its role come from PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE, the key from BACKUP_KEY. Ends with
0 when everything is done, with 1 when something failed, with 2 when the request makes no sense.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backup import metrics, postgres
from backup.encryption import derive_key
from backup.errors import BackupError
from backup.postgres_server import Server
from backup.repository import STORES, Backup, Repository, choose, parse_moment
from backup.scratch import scratch_server

Arguments = argparse.Namespace


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = _parser().parse_args(arguments)
    commands: Mapping[str, Callable[[Arguments, Repository], None]] = {
        "dump": _dump,
        "list": _list,
        "check": _check,
        "restore": _restore,
        "drill": _drill,
    }
    try:
        repository = Repository(Path(given.root), given.store)
        commands[given.command](given, repository)
    except BackupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m backup", description=__doc__)
    parser.add_argument("--root", default=os.environ.get("BACKUP_ROOT", "/backups"), help="folder of the backups")
    commands = parser.add_subparsers(dest="command", required=True)
    dump = _command(commands, "dump", "dump databases and delete what is older than the retention")
    dump.add_argument("databases", nargs="+", metavar="DATABASE")
    dump.add_argument("--keep", type=int, default=3, help="good backups that are kept whatever their age")
    dump.add_argument("--drill", action="store_true", help="restore the dump into a server of its own and compare")
    dump.add_argument("--days", type=int, default=7, help="age at which a backup may be deleted")
    _command(commands, "list", "list the backups")
    for name, text in (("check", "prove that a backup is whole"), ("drill", "restore, compare and drop again")):
        _chosen(_command(commands, name, text))
    restore = _command(commands, "restore", "restore one database")
    _chosen(restore)
    restore.add_argument("database", metavar="DATABASE")
    restore.add_argument("--into", required=True, metavar="NAME", help="name that the copy gets")
    restore.add_argument("--replace", action="store_true", help="put a database of that name aside")
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text)
    command.add_argument("--store", default="postgres", choices=STORES)
    return command


def _chosen(command: argparse.ArgumentParser) -> None:
    which = command.add_mutually_exclusive_group()
    which.add_argument("--backup", metavar="ID", help="the backup of this name")
    which.add_argument("--at", metavar="TIME", help="the newest backup from before a time with its zone")


def _server() -> Server:
    found = os.environ
    return Server(
        found.get("PGHOST", "localhost"),
        int(found.get("PGPORT", "5432")),
        found.get("PGUSER", "backup"),
        found.get("PGPASSWORD", ""),
        home=found.get("PGDATABASE", "postgres"),
    )


def _key() -> bytes:
    if "BACKUP_KEY" not in os.environ:
        raise BackupError("BACKUP_KEY is not set; give the key from the secret backupEncryptionKey")
    return derive_key(os.environ["BACKUP_KEY"])


def _dump(given: Arguments, repository: Repository) -> None:
    started = time.monotonic()
    try:
        identifier = postgres.dump(_server(), given.databases, repository, _key())
        backup = repository.backup(identifier)
        if given.drill:
            _prove(repository, backup)
    except BackupError:
        metrics.write(repository.folder, repository.store, "dump", {"success": 0})
        raise
    removed = repository.thin_out(given.keep, timedelta(days=given.days), datetime.now(UTC))
    figures = {
        "success": 1,
        "last_success_timestamp_seconds": time.time(),
        "duration_seconds": time.monotonic() - started,
        "size_bytes": sum(entry["size"] for entry in backup.manifest["files"]),
    }
    metrics.write(repository.folder, repository.store, "dump", figures)
    print(json.dumps({"backup": identifier, "removed": removed, "size_bytes": figures["size_bytes"]}))


def _prove(repository: Repository, backup: Backup) -> None:
    with scratch_server([entry["owner"] for entry in backup.manifest["files"]]) as server:
        _record(repository, postgres.drill(server, repository, backup, _key()))


def _record(repository: Repository, results: Sequence[postgres.Restored]) -> None:
    figures = {
        "recovery_point_seconds": max(result.recovery_point_seconds for result in results),
        "recovery_time_seconds": max(result.recovery_time_seconds for result in results),
        "last_success_timestamp_seconds": time.time(),
    }
    metrics.write(repository.folder, repository.store, "drill", figures)
    print(json.dumps({"drill": [asdict(result) for result in results]}))


def _list(_: Arguments, repository: Repository) -> None:
    for backup in repository.backups():
        files = backup.manifest["files"]
        print(f"{backup.id}  {sum(entry['size'] for entry in files)} bytes  {', '.join(e['name'] for e in files)}")


def _pick(given: Arguments, repository: Repository) -> Backup:
    return choose(repository, given.backup, parse_moment(given.at) if given.at else None)


def _check(given: Arguments, repository: Repository) -> None:
    backup = _pick(given, repository)
    postgres.check(backup, _key())
    print(f"backup {backup.id} is whole")


def _restore(given: Arguments, repository: Repository) -> None:
    backup = _pick(given, repository)
    done = postgres.restore(
        _server(), repository, backup, given.database, into=given.into, key=_key(), replace=given.replace
    )
    print(json.dumps(asdict(done)))


def _drill(given: Arguments, repository: Repository) -> None:
    _record(repository, postgres.drill(_server(), repository, _pick(given, repository), _key()))


if __name__ == "__main__":
    sys.exit(main())
