"""The search order: on PATH, in the cache, official download, build from the Go module."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tools.cache import Cache, WorkFolder
from tools.errors import Attempts, ToolsError, WayFailedError, unavailable
from tools.manifest import Manifest, Package, current_platform
from tools.path_lookup import PathLookup, reported_version
from tools.progress import Reporter
from tools.toolbox import Location, Toolbox


class Search:
    """Owns one search for programs: what was found, what was tried in vain, and the locks held meanwhile."""

    def __init__(self, manifest: Manifest, cache: Cache, reporter: Reporter) -> None:
        """Search for programs of a manifest; downloads and builds go to the cache, progress to the reporter."""
        self._manifest = manifest
        self._cache = cache
        self._reporter = reporter
        self._platform = current_platform()
        self._path = PathLookup(cache.root / "path-versions.json", cache.root.resolve())
        self._found: dict[str, Location] = {}
        self._attempts: dict[str, Attempts] = {}
        self._locks: dict[str, ExitStack] = {}

    def look(self, packages: Sequence[Package]) -> Toolbox:
        """Return what is on PATH or in the cache; nothing is downloaded or built."""
        for package in packages:
            self._attempts[package.name] = Attempts(package.title)
            self._look_on_path(package)
            if package.name not in self._found:
                self._look_in_cache(package)
            if package.name not in self._found:
                self._attempts[package.name].add("cache", f"not in {self._cache.root}")
        return Toolbox({package.name: self._found[package.name] for package in packages if self._is_found(package)})

    def provide(self, packages: Sequence[Package]) -> Toolbox:
        """Return all the packages, downloaded or built where need be.

        Raises:
            ToolsError: the cache cannot be written.
            ToolsUnavailableError: at least one package cannot be had by any way; the others are kept in the cache.
        """
        self.look(packages)
        try:
            self._acquire(self._missing(packages))
        except OSError as error:
            raise ToolsError(f"cannot work in the cache {self._cache.root}: {error}") from error
        failed = self._missing(packages)
        if failed:
            raise unavailable([self._attempts[item.name] for item in failed], self._go_versions(failed))
        return Toolbox({package.name: self._found[package.name] for package in packages})

    def _acquire(self, missing: Sequence[Package]) -> None:
        with self._all_locks(missing):
            # The run that held a lock before us has perhaps provided the package.
            for package in missing:
                self._look_in_cache(package)
            if self._missing(missing):
                self._reporter.expect([name for package in self._missing(missing) for name in package.made()])
                with self._cache.workspace() as workspace:
                    self._download(self._missing(missing), workspace)
                    self._build(self._missing(missing), workspace)

    def _is_found(self, package: Package) -> bool:
        return package.name in self._found

    def _missing(self, packages: Sequence[Package]) -> list[Package]:
        return [package for package in packages if not self._is_found(package)]

    def _look_on_path(self, package: Package) -> None:
        try:
            self._found[package.name] = Location(package, self._path.find(package), "PATH")
        except WayFailedError as error:
            self._attempts[package.name].add("PATH", str(error))

    def _look_in_cache(self, package: Package) -> None:
        folder = self._cache.find(package, self._manifest.key(package, self._platform))
        if folder is not None:
            self._found[package.name] = Location(package, folder, "cache")
            self._release_lock(package)

    def _download(self, packages: Sequence[Package], workspace: WorkFolder) -> None:
        from tools.acquire import download_all  # noqa: PLC0415 - the network modules would slow down every warm run

        for package, outcome in download_all(
            packages, self._platform, self._cache.downloads, workspace, self._reporter
        ):
            self._accept(package, outcome, "download")
        built = [package.name for package in self._missing(packages) if package.modules()]
        if built:
            self._reporter.say(
                f"no official release could be downloaded, so these are built from source: {', '.join(built)}"
            )

    def _build(self, packages: Sequence[Package], workspace: WorkFolder) -> None:
        from tools.go_build import GoBuilder  # noqa: PLC0415 - as above

        with self._cache.build_cache() as compiled:
            builder = GoBuilder(self._manifest, workspace, self._reporter, compiled.folder)
            for package, outcome in builder.build(packages):
                self._accept(package, outcome, "build")
            if packages and not self._missing(packages):
                # After a failure it stays, so that the next run continues from there.
                compiled.remove()

    def _accept(self, package: Package, outcome: Path | WayFailedError, way: str) -> None:
        """Publish a staged folder if its program answers with the pinned version, else remember the reason."""
        attempts = self._attempts[package.name]
        if isinstance(outcome, WayFailedError):
            attempts.add(way, str(outcome))
            return
        for name in package.programs:
            (outcome / name).chmod(0o755)
        if package.version_arguments:
            version = reported_version(outcome / package.name, package.version_arguments)
            if version != package.version:
                attempts.add(way, f"the program does not run here or is another version ({version or 'no answer'})")
                return
        folder = self._cache.publish(outcome, package, self._manifest.key(package, self._platform), way)
        self._found[package.name] = Location(package, folder, way)
        self._release_lock(package)

    def _go_versions(self, packages: Sequence[Package]) -> dict[str, str]:
        versions = {}
        for package in packages:
            for name in package.modules():
                versions[package.title] = self._manifest.modules[name].go_version()
        return versions

    @contextmanager
    def _all_locks(self, packages: Sequence[Package]) -> Iterator[None]:
        # Always in the same order: two runs that want each other's packages would else wait for ever.
        try:
            for package in sorted(packages, key=lambda item: item.name):
                stack = self._locks[package.name] = ExitStack()
                stack.enter_context(self._cache.lock(package.name, self._reporter))
            yield
        finally:
            for package in packages:
                self._release_lock(package)

    def _release_lock(self, package: Package) -> None:
        if stack := self._locks.pop(package.name, None):
            stack.close()
