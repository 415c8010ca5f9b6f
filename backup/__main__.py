"""The command of the backup image, the same for every store (postgres, redis, nats).

    python -m backup dump STORE [--only PART]... [--keep N] [--days N] [--drill]
    python -m backup list STORE
    python -m backup check STORE [--backup ID | --at TIME]
    python -m backup restore STORE [--backup ID | --at TIME] [--only PART]... [--into NAME] [--replace]
    python -m backup drill STORE [--backup ID | --at TIME]
    python -m backup fetch STORE [--backup ID]
    python -m backup preflight STORE

A PART is a database of PostgreSQL or Redis, or a stream of NATS. `--into` names the copy of a PostgreSQL database, or
the server that gets the data of Redis or NATS. Without `--backup` and `--at` the newest backup is taken. What is there
is replaced with `--replace` only, and kept: PostgreSQL renames it, Redis moves it to a free database, and NATS dumps
it first. How the stores are reached: `backup.postgres_store`, `backup.redis_store`, `backup.nats_store`. The key is in
BACKUP_KEY, the folder of the backups in BACKUP_ROOT, and BACKUP_REPORT names the file for the report to monitoring. A
password or key may also be a file that has the name of its variable, in the folder PASSWORDS_DIR.

Where S3_ENDPOINT is set (`backup.object_store`), `dump` uploads what it has made and fails when that fails, `fetch`
gets a backup from the bucket, and `preflight` tries whether the bucket can be used.

Prints JSON (one object for each backup with `list`). Ends with 0 when everything is done, with 1 when something failed
or was refused (nothing live was changed), with 2 when the request makes no sense.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backup import metrics, network, sealing
from backup.encryption import derive_key
from backup.errors import BackupError
from backup.nats_store import NatsStore
from backup.object_store import ObjectStore
from backup.postgres_store import PostgresStore
from backup.redis_store import RedisStore
from backup.repository import STORES, Backup, Repository, choose, parse_moment
from backup.store import BackupStore, Restored, RestoreOptions

Arguments = argparse.Namespace
_CONNECTING = frozenset({"dump", "restore", "fetch", "preflight"})
"""Commands that reach the store or the bucket."""

_STORES: Mapping[str, Callable[[], BackupStore]] = {
    "postgres": PostgresStore.from_environment,
    "redis": RedisStore.from_environment,
    "nats": NatsStore.from_environment,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = _parser().parse_args(arguments)
    commands: Mapping[str, Callable[[Arguments, Repository], None]] = {
        "dump": _dump,
        "list": _list,
        "check": _check,
        "restore": _restore,
        "drill": _drill,
        "fetch": _fetch,
        "preflight": _preflight,
    }
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    try:
        _read_passwords()
        repository = Repository(Path(given.root), given.store)
        if given.command in _CONNECTING:
            network.wait(network.addresses(os.environ))
        commands[given.command](given, repository)
    except (BackupError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _end(number: int, _: object) -> None:
    """Undo what is not finished. The first process of a container would not even notice a signal that it ignores."""
    signal.signal(number, signal.SIG_IGN)
    print(f"error: {signal.Signals(number).name} came before the end; what is not finished is undone", file=sys.stderr)
    sys.exit(1)


def _read_passwords() -> None:
    """Take every file of PASSWORDS_DIR as a variable of its name, so that no description of a pod holds a password."""
    folder = os.environ.get("PASSWORDS_DIR")
    for file in sorted(Path(folder).iterdir()) if folder else ():
        if file.is_file():
            os.environ.setdefault(file.name, file.read_text(encoding="utf-8").rstrip("\n"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m backup", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", default=os.environ.get("BACKUP_ROOT", "/backups"), help="folder of the backups")
    commands = parser.add_subparsers(dest="command", required=True)
    dump = _command(commands, "dump", "dump a store and delete what is older than the retention", parts=True)
    dump.add_argument("--keep", type=int, default=3, help="good backups that are kept whatever their age")
    dump.add_argument("--drill", action="store_true", help="restore the dump into a server of its own and compare")
    dump.add_argument("--days", type=int, default=7, help="age at which a backup may be deleted")
    _command(commands, "list", "list the backups")
    fetch = _command(commands, "fetch", "get a backup from the object store")
    fetch.add_argument("--backup", metavar="ID", help="the backup of this name; the newest when left out")
    _command(commands, "preflight", "try whether the object store can be used")
    _chosen(_command(commands, "check", "prove that a backup is whole"))
    _chosen(_command(commands, "drill", "restore into a server of its own, compare and remove"))
    restore = _command(commands, "restore", "restore a backup", parts=True)
    _chosen(restore)
    restore.add_argument("--into", metavar="NAME", help="name of the copy (postgres) or of the server (redis, nats)")
    restore.add_argument("--replace", action="store_true", help="put what is there aside")
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str, *, parts: bool = False
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text)
    command.add_argument("store", choices=STORES)
    if parts:
        command.add_argument("--only", action="append", default=[], metavar="PART", help="database or stream")
    return command


def _chosen(command: argparse.ArgumentParser) -> None:
    which = command.add_mutually_exclusive_group()
    which.add_argument("--backup", metavar="ID", help="the backup of this name")
    which.add_argument("--at", metavar="TIME", help="the newest backup from before a time with its zone")


def _key() -> bytes:
    if "BACKUP_KEY" not in os.environ:
        raise BackupError("BACKUP_KEY is not set; give the key from the secret backupEncryptionKey")
    return derive_key(os.environ["BACKUP_KEY"])


def _report(repository: Repository, action: str, figures: Mapping[str, float]) -> None:
    path = os.environ.get("BACKUP_REPORT")
    metrics.write_report(Path(path) if path else None, repository.store, action, figures)


def _dump(given: Arguments, repository: Repository) -> None:
    started, store = time.monotonic(), _STORES[repository.store]()
    try:
        identifier = store.dump(repository, _key(), given.only)
        backup = repository.backup(identifier)
        drilled = store.drill(backup, _key()) if given.drill else []
        copied = _upload(given, backup)
    except BackupError:
        _report(repository, "dump", {metrics.DUMP_SUCCESS: 0})
        raise
    removed = repository.thin_out(given.keep, timedelta(days=given.days), datetime.now(UTC))
    size = sum(entry["size"] for entry in backup.manifest["files"])
    figures = {
        metrics.DUMP_SUCCESS: 1,
        metrics.DUMP_LAST_SUCCESS: time.time(),
        metrics.DUMP_DURATION: time.monotonic() - started,
        metrics.DUMP_SIZE: size,
    }
    _report(repository, "dump", figures)
    print(json.dumps({"backup": identifier, "removed": removed, "size_bytes": size, "drill": _shown(drilled)} | copied))


def _upload(given: Arguments, backup: Backup) -> dict[str, object]:
    target, age = ObjectStore.from_environment(), timedelta(days=given.days)
    if target is None:
        return {}
    target.upload(backup, given.store)
    removed = target.thin_out(given.store, given.keep, age, datetime.now(UTC))
    return {"uploaded_to": target.bucket, "removed_from_bucket": removed}


def _object_store() -> ObjectStore:
    found = ObjectStore.from_environment()
    if found is None:
        raise BackupError("S3_ENDPOINT is not set, so there is no object store; set backup.objectStore")
    return found


def _fetch(given: Arguments, repository: Repository) -> None:
    print(json.dumps({"backup": _object_store().fetch(repository, given.backup)}))


def _preflight(_: Arguments, repository: Repository) -> None:
    target = _object_store()
    target.check(repository.store)
    print(json.dumps({"bucket": target.bucket, "usable": True}))


def _list(_: Arguments, repository: Repository) -> None:
    for backup in repository.backups():
        files = backup.manifest["files"]
        parts = sorted({str(entry.get("database") or entry.get("stream") or entry["name"]) for entry in files})
        size = sum(entry["size"] for entry in files)
        print(json.dumps({"backup": backup.id, "taken_at": backup.manifest["taken_at"], "size": size, "parts": parts}))


def _pick(given: Arguments, repository: Repository) -> Backup:
    return choose(repository, given.backup, parse_moment(given.at) if given.at else None)


def _check(given: Arguments, repository: Repository) -> None:
    backup = _pick(given, repository)
    sealing.check(backup, _key())
    print(json.dumps({"backup": backup.id, "whole": True}))


def _restore(given: Arguments, repository: Repository) -> None:
    backup = _pick(given, repository)
    request = RestoreOptions(tuple(given.only), given.into, given.replace)
    done = _STORES[repository.store]().restore(repository, backup, _key(), request)
    print(json.dumps({"restored": _shown(done)}))


def _drill(given: Arguments, repository: Repository) -> None:
    try:
        done = _STORES[repository.store]().drill(_pick(given, repository), _key())
    except BackupError:
        _report(repository, "drill", {metrics.DRILL_SUCCESS: 0})
        raise
    _report(repository, "drill", _drill_figures(done))
    print(json.dumps({"drill": _shown(done)}))


def _drill_figures(done: Sequence[Restored]) -> dict[str, float]:
    if not done:
        return {}
    return {
        metrics.DRILL_SUCCESS: 1,
        metrics.DRILL_LAST_SUCCESS: time.time(),
        metrics.DRILL_RECOVERY_POINT: max(each.recovery_point_seconds for each in done),
        metrics.DRILL_RECOVERY_TIME: max(each.recovery_time_seconds for each in done),
    }


def _shown(done: Sequence[Restored]) -> list[dict[str, object]]:
    return [asdict(each) for each in done]


if __name__ == "__main__":
    sys.exit(main())
