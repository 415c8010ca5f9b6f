"""The cache: one folder for each package at one version, for one platform, made by one recipe."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.manifest import Package
from tools.progress import Reporter

_ORIGIN_FILE = "origin.json"
_KEY_PATTERN = re.compile(r"[\w.+-]+@[\w.+-]+@\w+-\w+@[0-9a-f]{12}")


def default_root() -> Path:
    """Return the user's cache folder for programs, `${XDG_CACHE_HOME:-~/.cache}/alt-las/tools`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "alt-las" / "tools"


@dataclass(frozen=True)
class WorkFolder:
    """A folder for the unfinished work of one run.

    Attributes:
        folder: removed at the end of the run, or by the next run when this one dies.
        descriptor: an open file whose lock marks the folder as in use; child processes that write into the folder
            inherit it, so that the folder outlives a killed parent for as long as they need it.
    """

    folder: Path
    descriptor: int

    def new_folder(self, name: str) -> Path:
        """Return a new empty folder inside this one."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))


@dataclass(frozen=True)
class BuildCache:
    """Go's compiled packages, for the runs that build at the same time or go on after a failure.

    Attributes:
        folder: GOCACHE of every build; gigabytes.
        descriptor: an open file with a shared lock, for as long as this run builds.
    """

    folder: Path
    descriptor: int

    def remove(self) -> None:
        """Remove the folder unless another run builds with it."""
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Cache:
    """Owns everything below its root: finished folders, locks, partial downloads, unfinished work, Go's build cache.

    A folder is moved to its final name in one step when it is complete, so what has the final name is complete.
    """

    root: Path

    @property
    def downloads(self) -> Path:
        """Folder of partial downloads, which a later run continues."""
        return self.root / "downloads"

    def find(self, package: Package, key: str) -> Path | None:
        """Return the finished folder with this key, or None when it is absent or not what was once put there."""
        folder = self.root / key
        try:
            sizes = json.loads((folder / _ORIGIN_FILE).read_text("utf-8"))["sizes"]
        except (OSError, ValueError, KeyError):
            return None
        intact = all(_is_intact(folder / name, sizes.get(name)) for name in package.programs)
        return folder if intact else None

    def origin(self, folder: Path) -> str:
        """Return how a finished folder was made: `download` or `build`."""
        return str(json.loads((folder / _ORIGIN_FILE).read_text("utf-8"))["origin"])

    def publish(self, staged: Path, package: Package, key: str, origin: str) -> Path:
        """Give a complete folder, which must lie in a workspace of this cache, its final name and return it."""
        sizes = {}
        for name in package.programs:
            (staged / name).chmod(0o755)
            sizes[name] = (staged / name).stat().st_size
        staged.chmod(0o755)
        (staged / _ORIGIN_FILE).write_text(json.dumps({"origin": origin, "sizes": sizes}) + "\n", "utf-8")
        final = self.root / key
        if final.exists():
            final.rename(staged.with_name(f"{staged.name}-replaced"))
        staged.rename(final)
        return final

    @contextmanager
    def lock(self, name: str, reporter: Reporter) -> Iterator[None]:
        """Hold the machine-wide lock of one package; says so when another run holds it and this one must wait."""
        with self._open_lock(name) as descriptor:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with reporter.activity(f"{name}: waiting for another run that is providing it"):
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    @contextmanager
    def workspace(self) -> Iterator[WorkFolder]:
        """Provide a folder for unfinished work, after removing those of dead runs."""
        parent = self.root / "work"
        with self._open_lock(".work") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            parent.mkdir(parents=True, exist_ok=True)
            _remove_dead_workspaces(parent)
            folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
            descriptor = os.open(folder / "alive", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield WorkFolder(folder, descriptor)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)

    @contextmanager
    def build_cache(self) -> Iterator[BuildCache]:
        """Provide Go's build cache."""
        with self._open_lock(".go-build") as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield BuildCache(self.root / "go-build", descriptor)

    def remove_others(self, keys: Collection[str], checksums: Collection[str]) -> list[Path]:
        """Remove folders of other keys, partial downloads of other checksums, dead workspaces and Go's build cache.

        Only names that this package itself makes are touched.

        Returns:
            Which folders and downloads were removed.
        """
        with self.workspace():
            # Opening one removes those of dead runs.
            pass
        with self.build_cache() as compiled:
            compiled.remove()
        removed = []
        for folder in sorted(self.root.glob("*@*@*@*")):
            if _KEY_PATTERN.fullmatch(folder.name) and folder.name not in keys and not folder.is_symlink():
                shutil.rmtree(folder)
                removed.append(folder)
        for file in sorted(self.downloads.glob("*.partial")):
            if file.stem not in checksums:
                file.unlink()
                removed.append(file)
        return removed

    @contextmanager
    def _open_lock(self, name: str) -> Iterator[int]:
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _is_intact(file: Path, size: int | None) -> bool:
    try:
        return file.stat().st_size == size and os.access(file, os.X_OK)
    except OSError:
        return False


def _remove_dead_workspaces(parent: Path) -> None:
    for folder in parent.glob("run-*"):
        if not _is_in_use(folder):
            # Its own run is perhaps removing it too, hence no complaint about what is already gone.
            shutil.rmtree(folder, ignore_errors=True)


def _is_in_use(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / "alive", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
