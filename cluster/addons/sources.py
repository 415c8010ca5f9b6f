"""The files of the pinned addons: from the cache, from the project's own site, or from its Go module."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cluster.addons.manifest import FOLDER, Addon, AddonFile, AddonManifest
from tools import ToolsUnavailableError
from tools.cache import default_root
from tools.download import MIRROR_VARIABLE, Downloader
from tools.errors import Attempts, WayFailedError
from tools.go_toolchain import GoToolchain
from tools.manifest import Release
from tools.progress import Reporter

_PARALLEL_DOWNLOADS = 4


def default_cache() -> Path:
    """Return the user's cache folder for addons, `${XDG_CACHE_HOME:-~/.cache}/alt-las/addons`."""
    return default_root().parent / "addons"


@dataclass(frozen=True)
class AddonFiles:
    """Provides the files of addons; owns their cache and nothing else.

    Attributes:
        manifest: What is pinned.
        cache: Folder of the files, each named by addon, version and file; the content is proven at each use.
        go_folder: Folder of the go.mod and the go.sum that pin the Go modules.
    """

    manifest: AddonManifest
    cache: Path = field(default_factory=default_cache)
    go_folder: Path = FOLDER / "go"

    def provide(self, names: Sequence[str]) -> dict[str, tuple[Path, ...]]:
        """Return the files of addons, by addon; what the cache does not have is fetched.

        Raises:
            ToolsUnavailableError: A file cannot be had by any way; the text lists every try.
        """
        wanted = [(name, file) for name in names for file in self.manifest.addons[name].files]
        missing = [(name, file) for name, file in wanted if not self._is_cached(name, file)]
        if missing:
            self._fetch(missing)
        return {name: tuple(self._cached(name, file) for file in self.manifest.addons[name].files) for name in names}

    def _cached(self, name: str, file: AddonFile) -> Path:
        return self.cache / f"{name}@{self.manifest.addons[name].version}@{Path(file.path).name}"

    def _is_cached(self, name: str, file: AddonFile) -> bool:
        path = self._cached(name, file)
        # A file that was changed in the cache counts as missing: it is fetched again.
        return path.is_file() and _sha256(path) == file.sha256

    def _fetch(self, missing: Sequence[tuple[str, AddonFile]]) -> None:
        self.cache.mkdir(parents=True, exist_ok=True)
        titles = dict.fromkeys(f"{self._addon(name).title} {self._addon(name).version}" for name, _ in missing)
        reporter = Reporter()
        with (
            reporter.activity(f"manifests of {', '.join(titles)}"),
            tempfile.TemporaryDirectory(dir=self.cache) as work,
            ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool,
        ):
            downloader = Downloader(Path(work), os.environ.get(MIRROR_VARIABLE) or None)
            failed = list(filter(None, pool.map(lambda item: self._fetch_one(item[0], item[1], downloader), missing)))
        if failed:
            raise _unavailable(failed)

    def _fetch_one(self, name: str, file: AddonFile, downloader: Downloader) -> Attempts | None:
        """Try one way after the other; returns what was tried if none worked."""
        attempts = Attempts(f"{self._addon(name).title} {self._addon(name).version}: {file.path}")
        try:
            downloader.fetch(Release(file.url, file.sha256)).replace(self._cached(name, file))
        except (WayFailedError, OSError) as error:
            attempts.add("download", str(error))
        else:
            return None
        try:
            self._copy_from_module(name, file)
        except (WayFailedError, OSError) as error:
            attempts.add("module", str(error))
            return attempts
        return None

    def _copy_from_module(self, name: str, file: AddonFile) -> None:
        addon = self._addon(name)
        original = GoToolchain.locate(()).module_folder(addon.module, self.go_folder) / file.path
        actual = _sha256(original)
        if actual != file.sha256:
            message = f"{file.path} of {addon.module} is refused: its sha256 is {actual}, but {file.sha256} is pinned"
            raise WayFailedError(message)
        target = self._cached(name, file)
        # Copied beside it and then moved: nobody ever reads half a file.
        with tempfile.NamedTemporaryFile(dir=self.cache, delete=False) as copy, original.open("rb") as source:
            shutil.copyfileobj(source, copy)
        Path(copy.name).replace(target)

    def _addon(self, name: str) -> Addon:
        return self.manifest.addons[name]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unavailable(failed: Sequence[Attempts]) -> ToolsUnavailableError:
    parts = ["These manifests of addons could not be provided; nothing was changed on the cluster:"]
    parts.extend(attempts.render() for attempts in failed)
    parts.append(
        "What you can do:\n"
        f"  - behind a proxy, set HTTPS_PROXY, or point {MIRROR_VARIABLE} to a mirror\n"
        "  - install Go (https://go.dev/dl/), so that they can be taken from the projects' Go modules\n"
        "  - go on without them: ALT_LAS_ADDONS=0"
    )
    return ToolsUnavailableError("\n\n".join(parts))
