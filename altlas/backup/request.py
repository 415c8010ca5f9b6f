"""A request for a restore, and every check of it that needs no look at a backup."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from components.settings import PlatformSettings
from components.settings.backup import ObjectStoreSettings
from rendering.errors import CommandError, ExitCode

STORES = ("postgres", "redis", "nats")
_OBJECT_NAME = re.compile(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?")
_DATABASE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_BACKUP = re.compile(r"\d{8}T\d{6}Z")


@dataclass(frozen=True, kw_only=True)
class RestoreRequest:
    """A restore: source and target.

    Attributes:
        store: Name of the store.
        stack: Name of the stack.
        backup: Id of a backup, or None.
        at: Moment to go back to, or None; exactly one of the two is given.
        into: Name of the copy, None where live data is replaced.
        only: Databases or streams to restore; all when empty.
        replace: Whether live data is replaced.
        confirmed: The stack's name, typed to confirm the replacement.
        generation: Earlier life of the stack whose write-ahead log is used; None for the present one.
    """

    store: str
    stack: str
    backup: str | None = None
    at: datetime | None = None
    into: str | None = None
    only: tuple[str, ...] = ()
    replace: bool = False
    confirmed: str | None = None
    generation: int | None = None

    def uses_the_log(self, platform: PlatformSettings) -> bool:
        """True if PostgreSQL is recovered to a point in time (PITR); otherwise the newest dump before it is restored.

        PITR always creates a new Cluster and never replaces one.
        """
        log = platform.backup is not None and platform.backup.object_store is not None
        return self.store == "postgres" and self.at is not None and log and not self.replace


def parse_moment(text: str, now: datetime) -> datetime:
    """Parse a time of the past with its time zone.

    Raises:
        CommandError: It is not a time, has no time zone, or lies in the future.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _refused(f"--at {text!r} is not a time with its zone; write one such as 2026-01-31T12:00:00+00:00")
    if moment > now:
        raise _refused(f"--at {text} lies in the future; name a time of the past")
    return moment.astimezone(UTC)


def check_store(store: str, platform: PlatformSettings) -> None:
    """Check that the stack runs a store and has backups of it.

    Raises:
        CommandError: The store is unknown, or the stack does not run it, or has no backups.
    """
    if store not in STORES:
        raise _refused(f"{store!r} is not a store; known: {', '.join(STORES)}")
    for name in (store, "backup"):
        if getattr(platform, name) is None:
            raise _refused(f"alt-las:platform.{name} is not set, so there is nothing to restore {store} from")


def archive_of(request: RestoreRequest, platform: PlatformSettings) -> str:
    """Name of the archive of the write-ahead log that a restore reads."""
    return bucket_of(platform).archive(request.generation)


def bucket_of(platform: PlatformSettings) -> ObjectStoreSettings:
    """The bucket of a stack.

    Raises:
        CommandError: It has none.
    """
    bucket = platform.backup.object_store if platform.backup else None
    if bucket is None:
        raise _refused("alt-las:platform.backup.objectStore is not set, so there is no bucket")
    return bucket


def check_fetch(
    store: str, backup: str | None, stack: str, platform: PlatformSettings, generation: int | None = None
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Check that the stack has a bucket to fetch a backup from, and return arguments and variables of the Job.

    Raises:
        CommandError: The store is unknown, the stack has no bucket or no such life, or the id is not one of a backup.
    """
    check_store(store, platform)
    bucket = bucket_of(platform)
    _check_generation(generation, bucket)
    if backup is not None:
        _check_id(backup, store, stack)
    arguments = ("--backup", backup) if backup is not None else ()
    return arguments, {"S3_PREFIX": bucket.dumps_folder(stack, generation)} if generation else {}


def _check_generation(generation: int | None, bucket: ObjectStoreSettings) -> None:
    if generation is not None and not 1 <= generation <= bucket.generation:
        raise _refused(
            f"--generation {generation} is no life of the stack; backup.objectStore.generation is {bucket.generation}, "
            f"so name one of 1 to {bucket.generation}"
        )


def _check_id(backup: str, store: str, stack: str) -> None:
    if not _BACKUP.fullmatch(backup):
        raise _refused(
            f"--backup {backup!r} is not the id of a backup, such as 20260131T010000Z; `altlas backup list {store} "
            f"{stack}` lists them"
        )


def check_request(request: RestoreRequest, platform: PlatformSettings) -> None:
    """Check a request without a look at the cluster.

    Raises:
        CommandError: The request is not valid; holds the cure. Nothing was changed.
    """
    check_store(request.store, platform)
    if (request.backup is None) == (request.at is None):
        raise _refused(
            f"say what to restore, either --at TIME or --backup ID; `altlas backup list {request.store} "
            f"{request.stack}` lists the backups"
        )
    if request.backup is not None:
        _check_id(request.backup, request.store, request.stack)
    if request.generation is not None:
        if not request.uses_the_log(platform):
            raise _refused(
                "--generation chooses a write-ahead log, which only PostgreSQL has, with backup.objectStore, --at and "
                f"--into; get a backup of an earlier life with `altlas backup fetch {request.store} {request.stack} "
                "--generation N` and restore it with --backup"
            )
        _check_generation(request.generation, bucket_of(platform))
    if request.replace:
        _check_replacement(request)
    else:
        _check_copy(request, platform)


def _check_replacement(request: RestoreRequest) -> None:
    if request.into is not None:
        raise _refused("--into makes a copy and --replace changes live data; choose one of them")
    if request.confirmed != request.stack:
        typed = "it was not typed" if request.confirmed is None else f"{request.confirmed!r} was typed"
        raise _refused(
            f"--replace changes live data of the stack {request.stack}: confirm it with --confirm {request.stack}; "
            f"{typed}. To look first, restore into a copy with --into NAME"
        )


def _check_copy(request: RestoreRequest, platform: PlatformSettings) -> None:
    if request.into is None:
        raise _refused("--into NAME is missing; with --replace live data is replaced instead")
    if request.only and request.uses_the_log(platform):
        raise _refused(
            f"--only {' '.join(request.only)} is a part of a dump, but --at recovers the whole Cluster from its "
            "write-ahead log; leave --only out, or name a dump with --backup"
        )
    live = live_names(request.store, platform)
    if request.into in live:
        raise _refused(
            f"--into {request.into} is live, and a restore never overwrites live data; choose another name and "
            f"look at the copy, or use --replace with --confirm {request.stack}"
        )
    dump = request.store == "postgres" and not request.uses_the_log(platform)
    pattern, letters = (_DATABASE_NAME, "'_'") if dump else (_OBJECT_NAME, "'-'")
    if not pattern.fullmatch(request.into):
        what = "a database" if dump else "an object"
        raise _refused(f"--into {request.into!r} cannot name {what}; use lower-case letters, digits and {letters}")
    if dump and len(request.only) != 1 and len(databases(platform)) > 1:
        raise _refused(
            f"--into {request.into} is one database; choose which one becomes it with --only "
            f"{'|'.join(sorted(databases(platform)))}"
        )


def databases(platform: PlatformSettings) -> frozenset[str]:
    """Names of the live databases."""
    found = platform.postgres.databases.by_service().values() if platform.postgres else ()
    return frozenset(database.name for database in found)


def live_names(store: str, platform: PlatformSettings) -> frozenset[str]:
    """Names of live data and of its addresses."""
    services: Mapping[str, object] = platform.services.by_name()
    own = {"redis", "redis-proxy", "nats", "postgres-db", "platform", "postgres"}
    return frozenset({*own, *services}) | (databases(platform) if store == "postgres" else frozenset())


def program_arguments(request: RestoreRequest) -> tuple[str, ...]:
    """Arguments of the program in the Job after the store's name (see `python -m backup`)."""
    which = ("--backup", request.backup) if request.backup else ("--at", request.at.isoformat() if request.at else "")
    into = ("--into", request.into) if request.into else ()
    parts = tuple(word for part in request.only for word in ("--only", part))
    return (*which, *parts, *into, *(("--replace",) if request.replace else ()))


def _refused(message: str) -> CommandError:
    return CommandError(f"{message}. Nothing was changed", ExitCode.BAD_INPUT)
