"""Downloads of several packages at the same time."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tools.archive import unpack
from tools.cache import WorkFolder
from tools.download import MIRROR_VARIABLE, Downloader
from tools.errors import WayFailedError
from tools.manifest import Package, Release
from tools.progress import Reporter

_PARALLEL_DOWNLOADS = 4


def download_all(
    packages: Sequence[Package], platform: str, downloads: Path, workspace: WorkFolder, reporter: Reporter
) -> Iterator[tuple[Package, Path | WayFailedError]]:
    """Download packages and take their programs out of the archives.

    Args:
        packages: what is wanted.
        platform: for example `linux/amd64`.
        downloads: folder of partial files; they survive the run.
        workspace: gets one folder for each package.
        reporter: told about each download.

    Yields:
        Each package, and either its folder in the workspace or the reason why there is none.
    """
    job = _Job(platform, Downloader(downloads, os.environ.get(MIRROR_VARIABLE) or None), workspace, reporter)
    with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
        yield from zip(packages, pool.map(job.run, packages), strict=True)


@dataclass(frozen=True)
class _Job:
    platform: str
    downloader: Downloader
    workspace: WorkFolder
    reporter: Reporter

    def run(self, package: Package) -> Path | WayFailedError:
        """Try every release of a package for this platform in turn."""
        releases = package.releases.get(self.platform, ())
        if not releases:
            return WayFailedError(f"no official release is known for {self.platform}")
        reasons = []
        for release in releases:
            try:
                return self._download(package, release)
            except WayFailedError as error:
                reasons.append(str(error))
            except OSError as error:
                reasons.append(f"{release.url}: {error}")
        return WayFailedError("\n".join(reasons))

    def _download(self, package: Package, release: Release) -> Path:
        with ExitStack() as stack:
            what = self.reporter.activity(f"{package.name}: downloading {package.version}", package.programs)
            # A server that cannot be reached is no start: the caller tells once which programs have no download.
            file = self.downloader.fetch(release, lambda: stack.enter_context(what))
            staged = self.workspace.new_folder(package.name)
            unpack(file, release, package, staged)
            file.unlink()
            return staged
