"""Folder of the backups: complete or absent, locked against a second user; retention never removes the last one.

Below the root each store has a folder, in it one folder for each backup, named by its time. A backup is written under
another name and gets its own when everything is on disk, so that whatever has the name of a backup is a whole one.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from backup.errors import BackupError
from backup.volume import room

MANIFEST = "manifest.json"
STORES = ("postgres", "redis", "nats")
_ID_FORMAT = "%Y%m%dT%H%M%SZ"
_ID = re.compile(r"\d{8}T\d{6}Z")
_UNFINISHED = ".unfinished-"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Backup:
    """One complete backup.

    Attributes:
        folder: Where its files are; its name is the backup's id.
        manifest: What it says about itself.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Name of the backup: the time at which it began, in UTC."""
        return self.folder.name

    @property
    def taken_at(self) -> datetime:
        """The moment whose data it holds."""
        return datetime.fromisoformat(self.manifest["taken_at"])

    def verify(self) -> None:
        """Compare every file with the manifest.

        Raises:
            BackupError: A file is missing, too short or changed.
        """
        for entry in self.manifest["files"]:
            path = self.folder / entry["name"]
            if not path.is_file():
                raise BackupError(f"backup {self.id}: {entry['name']} is missing; choose another backup")
            size = path.stat().st_size
            if size != entry["size"]:
                raise BackupError(
                    f"backup {self.id}: {entry['name']} has {size} bytes instead of {entry['size']}; it is cut off or "
                    "was written over; choose another backup"
                )
            if _checksum(path) != entry["sha256"]:
                raise BackupError(
                    f"backup {self.id}: the checksum of {entry['name']} is not that of the manifest; it is damaged; "
                    "choose another backup"
                )


@dataclass(frozen=True)
class Repository:
    """The backups of one store below a root folder.

    Raises:
        BackupError: The store is unknown.
    """

    root: Path
    store: str

    def __post_init__(self) -> None:
        """Check the store's name."""
        if self.store not in STORES:
            raise BackupError(f"{self.store!r} is not a store; known: {', '.join(STORES)}")

    @property
    def folder(self) -> Path:
        """Folder of the store."""
        return self.root / self.store

    def backups(self) -> tuple[Backup, ...]:
        """All complete backups, oldest first. One whose manifest cannot be read is not complete."""
        found = []
        for folder in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            if _ID.fullmatch(folder.name):
                manifest = _manifest(folder)
                if manifest is not None:
                    found.append(Backup(folder, manifest))
        return tuple(found)

    def backup(self, identifier: str) -> Backup:
        """The backup of this name.

        Raises:
            BackupError: There is none; names those that there are.
        """
        known = {backup.id: backup for backup in self.backups()}
        if identifier not in known:
            names = ", ".join(known) or "none"
            raise BackupError(f"{self.store} has no backup {identifier!r}; there are: {names}")
        return known[identifier]

    def latest_before(self, moment: datetime) -> Backup:
        """The newest backup that is not younger than a moment.

        Raises:
            BackupError: All are younger; names the oldest.
        """
        backups = self.backups()
        earlier = [backup for backup in backups if backup.taken_at <= moment]
        if not earlier:
            oldest = f"the oldest is {backups[0].id}" if backups else "there is none at all"
            raise BackupError(f"{self.store} has no backup from before {moment.isoformat()}; {oldest}")
        return earlier[-1]

    @contextmanager
    def locked(self, purpose: str) -> Iterator[None]:
        """Let one process at a time do something with this store.

        Raises:
            BackupError: Another one is at it, here or on another machine with the same volume.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / f".{purpose}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BackupError(f"another {purpose} of {self.store} is at work; wait until it has ended") from None
            yield
        finally:
            os.close(descriptor)

    def free_second(self) -> datetime:
        """The present moment, or the next second where this one has a backup already: its second is a backup's id."""
        now = datetime.now(UTC)
        while (self.folder / identifier_of(now)).exists():
            time.sleep(1 - now.microsecond / 1_000_000)
            now = datetime.now(UTC)
        return now

    @contextmanager
    def new(self, taken_at: datetime) -> Iterator[Path]:
        """A folder to fill, which becomes a backup when the block ends well and vanishes when it does not.

        Raises:
            BackupError: The volume is full, or there is a backup of this second.
        """
        identifier = identifier_of(taken_at)
        final, unfinished = self.folder / identifier, self.folder / f"{_UNFINISHED}{identifier}"
        if final.exists():
            raise BackupError(f"{self.store} has a backup {identifier} already; try again in a second")
        for left_over in self.folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(left_over)
        try:
            with room("of the backups", "enlarge it or keep fewer backups. The earlier backups are untouched"):
                unfinished.mkdir(parents=True)
                yield unfinished
                _flush(unfinished)
                unfinished.rename(final)
                _flush_folder(self.folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def thin_out(self, keep: int, age: timedelta, now: datetime) -> tuple[str, ...]:
        """Delete what is older than `age`, but always keep the newest `keep` backups that are whole.

        While a restore is at work nothing is deleted, for it may read any of them.

        Returns:
            The ids of the deleted backups.
        """
        good = [backup for backup in self.backups() if _is_whole(backup)]
        kept = {backup.id for backup in good[-max(keep, 1) :]}
        doomed = [b for b in self.backups() if b.id not in kept and now - b.taken_at > age]
        if not kept or not doomed:
            return ()
        try:
            with self.locked("restore"):
                for backup in doomed:
                    shutil.rmtree(backup.folder)
        except BackupError:
            return ()
        return tuple(backup.id for backup in doomed)


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write what a backup says about itself."""
    (folder / MANIFEST).write_text(json.dumps(content, indent=2, sort_keys=True), encoding="utf-8")


def choose(repository: Repository, identifier: str | None, moment: datetime | None) -> Backup:
    """The backup that a person means: by its id, by a moment, or the newest."""
    if identifier is not None:
        return repository.backup(identifier)
    return repository.latest_before(moment or datetime.now(UTC))


def parse_moment(text: str) -> datetime:
    """Read a moment with its time zone.

    Raises:
        BackupError: The text is none, or it names no time zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BackupError(f"{text!r} is not a time with its zone; write one such as 2026-01-31T12:00:00+00:00")
    return moment


def is_identifier(text: str) -> bool:
    """Tell whether a text can be the id of a backup."""
    return _ID.fullmatch(text) is not None


def identifier_of(moment: datetime) -> str:
    """The id of the backup of a moment."""
    return moment.astimezone(UTC).strftime(_ID_FORMAT)


def taken_at_of(identifier: str) -> datetime:
    """The moment, in whole seconds, from which a backup has its id."""
    return datetime.strptime(identifier, _ID_FORMAT).replace(tzinfo=UTC)


def _is_whole(backup: Backup) -> bool:
    try:
        backup.verify()
    except BackupError:
        return False
    return True


def _manifest(folder: Path) -> Mapping[str, Any] | None:
    try:
        content: object = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and {"taken_at", "files"} <= content.keys() else None


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _flush(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_entry(name: str, size: int, sha256: str, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One file as the manifest lists it."""
    return {"name": name, "size": size, "sha256": sha256, **(details or {})}
