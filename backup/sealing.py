"""Files of a backup as they lie in the repository: encrypted, with size and checksum in the manifest."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from backup import encryption
from backup.errors import BackupError
from backup.repository import Backup, file_entry, write_manifest


def seal(plain: IO[bytes], path: Path, key: bytes, details: Mapping[str, Any]) -> dict[str, Any]:
    """Encrypt a stream into a file of a backup and return the file's entry in the manifest."""
    with path.open("wb") as file:
        size, checksum = encryption.written(encryption.encrypt(plain, key), file)
    return file_entry(path.name, size, checksum, details)


def seal_file(source: Path, path: Path, key: bytes, details: Mapping[str, Any]) -> dict[str, Any]:
    """Encrypt a file into one of a backup and return its entry in the manifest."""
    with source.open("rb") as plain:
        return seal(plain, path, key, details)


def opened(backup: Backup, name: str, key: bytes) -> Iterator[bytes]:
    """The plain content of a file of a backup.

    Raises:
        BackupError: It is damaged, or the key is another one.
    """
    with (backup.folder / name).open("rb") as file:
        yield from encryption.decrypt(file, key)


def open_into(backup: Backup, name: str, key: bytes, path: Path) -> None:
    """Write the plain content of a file of a backup into a file.

    Raises:
        BackupError: It is damaged, or the key is another one.
    """
    with path.open("wb") as file:
        encryption.written(opened(backup, name, key), file)


def finish(
    folder: Path,
    taken_at: datetime,
    key: bytes,
    files: Iterable[Mapping[str, Any]],
    further: Mapping[str, Any],
) -> None:
    """Write the manifest, the last file of a backup.

    Args:
        folder: Folder of the backup, in that of its store.
        taken_at: The moment whose data it holds.
        key: Key of its files.
        files: Entries of its files.
        further: What else a store notes, such as versions.
    """
    own = {
        "store": folder.parent.name,
        "taken_at": taken_at.isoformat(),
        "finished_at": datetime.now(UTC).isoformat(),
        "key_id": encryption.key_id(key),
        "files": list(files),
    }
    write_manifest(folder, {**own, **further})


def check(backup: Backup, key: bytes) -> None:
    """Make sure that a backup is whole and that the key opens every file of it.

    Raises:
        BackupError: It is damaged, or the key is another one.
    """
    backup.verify()
    wanted, given = backup.manifest["key_id"], encryption.key_id(key)
    if wanted != given:
        raise BackupError(
            f"backup {backup.id} was encrypted with the key {wanted}, not with {given}; give the key of that time"
        )
    for entry in backup.manifest["files"]:
        for _ in opened(backup, entry["name"], key):
            pass
