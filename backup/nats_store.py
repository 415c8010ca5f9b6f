"""NATS JetStream as one of the stores: streams with their consumers, as the `nats` command backs them up.

Reached by NATS_URL, NATS_PASSWORD (of the user `backup`) and NATS_RESTORE_PASSWORD (of the user `restore`).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backup import nats_server, sealing
from backup.errors import BackupError
from backup.nats_server import CONFIGURATION, MESSAGES, NatsServer
from backup.repository import Backup, Repository, identifier_of
from backup.store import Restored, RestoreOptions, stopwatch
from backup.volume import scratch_folder

_DUMP_USER, _RESTORE_USER = "backup", "restore"
_PORT = 4222


@dataclass(frozen=True)
class NatsStore:
    """The streams of one NATS.

    Attributes:
        source: The servers for the user that may take snapshots.
        target: The same for the user that may restore them.
    """

    source: NatsServer
    target: NatsServer

    @classmethod
    def from_environment(cls, found: Mapping[str, str] = os.environ) -> "NatsStore":
        """The servers that the variables name."""
        url = found.get("NATS_URL", f"nats://localhost:{_PORT}")
        return cls(
            NatsServer(url, _DUMP_USER, found.get("NATS_PASSWORD", "")),
            NatsServer(url, _RESTORE_USER, found.get("NATS_RESTORE_PASSWORD", "")),
        )

    def dump(self, repository: Repository, key: bytes, parts: Sequence[str]) -> str:
        """Dump streams, each as one moment saw it; a server of our own must restore the dump before it counts."""
        with repository.locked("dump"), scratch_folder("dump") as scratch:
            streams = self._streams(parts)
            taken_at, folders = repository.free_second(), {name: scratch / name for name in streams}
            for name, folder in folders.items():
                self.source.fetch(name, folder)
            found = _compared_content(folders)
            with repository.new(taken_at) as target:
                files = [
                    sealing.seal_file(
                        folders[name] / file, target / f"{name}.{file}", key, {"stream": name, "file": file}
                    )
                    for name in streams
                    for file in (CONFIGURATION, MESSAGES)
                ]
                versions = {"server_version": nats_server.version(), "content": found}
                sealing.finish(target, taken_at, key, files, versions)
        return identifier_of(taken_at)

    def _streams(self, parts: Sequence[str]) -> tuple[str, ...]:
        there = self.source.streams()
        unknown = sorted(set(parts) - set(there))
        if unknown or not there:
            raise BackupError(
                f"NATS has no stream {', '.join(unknown) or 'at all'}; there are: {', '.join(there) or 'none'}"
            )
        return tuple(parts) or there

    def restore(self, repository: Repository, backup: Backup, key: bytes, request: RestoreOptions) -> list[Restored]:
        """Restore streams that are not there; those that are, only on demand, and a dump of them is made before."""
        target = replace(self.target, url=_address(request.into)) if request.into else self.target
        streams, result = _chosen(backup, request.parts), stopwatch(backup)
        with repository.locked("restore"), _opened(backup, key) as folders:
            _compare(backup, folders)
            taken = sorted(set(streams) & set(target.streams()))
            if taken and not request.replace:
                raise BackupError(
                    f"NATS at {target.url} has the stream {', '.join(taken)}; restore into a server without it with "
                    "--into, or replace it with --replace, which dumps it first"
                )
            kept = self._put_aside(target, repository, key, taken) if taken else None
            with _undone(target, repository.backup(kept) if kept else None, key) as touched:
                counts: dict[str, int] = {}
                for name in streams:
                    touched.append(name)
                    counts[name] = _replace(target, folders[name], name in taken)
            return [
                result(name, target.url, count, f"backup {kept}" if kept else None) for name, count in counts.items()
            ]

    def _put_aside(self, target: NatsServer, repository: Repository, key: bytes, streams: Sequence[str]) -> str:
        before = replace(self, source=replace(self.source, url=target.url))
        return before.dump(repository, key, streams)

    def drill(self, backup: Backup, key: bytes) -> list[Restored]:
        """Restore all streams into a server that exists for the drill only, and compare them with the manifest."""
        result = stopwatch(backup)
        with _opened(backup, key) as folders:
            found = _compare(backup, folders)
            return [result(name, "a server of the drill", each["messages"], None) for name, each in found.items()]


def _replace(target: NatsServer, folder: Path, taken: bool) -> int:
    try:
        options: tuple[str, ...] = ()
        if taken:
            # The backup may come from another number of servers; the stream keeps as many replicas as it has now.
            options = ("--replicas", str(target.state(folder.name)["config"]["num_replicas"]))
            target.remove(folder.name)
        target.load(folder, *options)
        return int(target.state(folder.name)["state"]["messages"])
    except BackupError as error:
        raise BackupError(f"the stream {folder.name} could not be restored: {error}") from None


@contextmanager
def _undone(target: NatsServer, before: Backup | None, key: bytes) -> Iterator[list[str]]:
    """When the block fails or is ended, give every stream that it has touched back what it had.

    Args:
        target: The servers.
        before: What they had; None where none of the streams was there.
        key: Key of that backup.

    Yields:
        Where the block notes each stream before it touches it.
    """
    touched: list[str] = []
    try:
        yield touched
    except BaseException as error:
        try:
            _give_back(target, before, key, touched)
        except BackupError as further:
            where = f"; what was there is backup {before.id}: restore it with --replace" if before else ""
            raise BackupError(f"{error}; and what was there could not be put back: {further}{where}") from None
        if isinstance(error, BackupError):
            raise BackupError(f"{error}; what was there is there again") from None
        raise


def _give_back(target: NatsServer, before: Backup | None, key: bytes, touched: Sequence[str]) -> None:
    there = set(target.streams())
    for name in touched:
        if name in there:
            target.remove(name)
    if before:
        with _opened(before, key) as folders:
            for name in touched:
                if name in folders:
                    target.load(folders[name])


def _compare(backup: Backup, folders: Mapping[str, Path]) -> dict[str, Any]:
    wanted, found = backup.manifest["content"], _compared_content(folders)
    differing = [
        f"{name}: {wanted.get(name)} in the dump, {found.get(name)} in the copy"
        for name in sorted({*wanted, *found})
        if wanted.get(name) != found.get(name)
    ]
    if differing:
        raise BackupError(f"the copy differs from the dump: {'; '.join(differing)}")
    return found


def _compared_content(folders: Mapping[str, Path]) -> dict[str, Any]:
    with nats_server.scratch_server() as server:
        for folder in folders.values():
            nats_server.load_for_comparison(server, folder)
        return dict(nats_server.contents(server, tuple(folders)))


def _chosen(backup: Backup, parts: Sequence[str]) -> tuple[str, ...]:
    held = tuple(backup.manifest["content"])
    unknown = sorted(set(parts) - set(held))
    if unknown:
        raise BackupError(f"backup {backup.id} holds no stream {', '.join(unknown)}; it holds: {', '.join(held)}")
    return tuple(parts) or held


@contextmanager
def _opened(backup: Backup, key: bytes) -> Iterator[dict[str, Path]]:
    sealing.check(backup, key)
    with scratch_folder("restore") as scratch:
        folders: dict[str, Path] = {}
        for entry in backup.manifest["files"]:
            folder = folders.setdefault(entry["stream"], scratch / entry["stream"])
            folder.mkdir(exist_ok=True)
            sealing.open_into(backup, entry["name"], key, folder / entry["file"])
        yield folders


def _address(into: str) -> str:
    return into if "://" in into else f"nats://{into}:{_PORT}"
