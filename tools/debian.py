"""Debian packages without root's package database: a private one below the cache, filled by apt-get.

Owns the downloads and their unpacking. Does not own what is made of them. apt-get checks every package against the
signed index of the archive, so security updates come without a change here.
"""

import fcntl
import shutil
import subprocess
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.cache import default_root
from tools.errors import ToolsUnavailableError

SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
_MERGED = ("bin", "sbin", "lib", "lib64")
_DOCUMENTATION = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian")
_SECONDS = 600


def default_folder() -> Path:
    """Return the folder that keeps indexes and packages between runs."""
    return default_root().parent / "images" / "apt"


class PackageCache:
    """Downloads packages with all that they need. Owns its folder, never the machine's package database."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which is made when it is missing.

        Raises:
            ToolsUnavailableError: This machine has no Debian archive, or it cannot be reached.
        """
        if not SOURCES.exists() or shutil.which("apt-get") is None:
            raise ToolsUnavailableError(
                f"packages come from Debian, and this machine has no apt-get or no {SOURCES.name}; "
                "use Debian 12 or newer"
            )
        self._folder = folder
        self.archives = folder / "cache/archives"
        for each in (folder / "lists/partial", self.archives / "partial"):
            each.mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        with self._locked():
            if not any((folder / "lists").glob("*Packages*")):
                self._apt("update")

    def download(self, packages: Sequence[str]) -> list[Path]:
        """Download packages and everything that they depend on, and return the files.

        Raises:
            ToolsUnavailableError: The archive cannot be reached, or has no such package.
        """
        options = ("--no-install-recommends", "--yes")
        with self._locked():
            try:
                self._apt("install", *options, "--download-only", *packages)
            except ToolsUnavailableError:
                # The archive drops a version when a newer one appears, and the index here still names it.
                self._apt("update")
                self._apt("install", *options, "--download-only", *packages)
            simulated = self._apt("install", *options, "--simulate", *packages)
        wanted = [line.split() for line in simulated.splitlines() if line.startswith("Inst ")]
        return [self._file(words[1], words[2].lstrip("(")) for words in wanted]

    def unpack(self, packages: Sequence[str], into: Path, without: Collection[str] = ()) -> None:
        """Unpack packages with what they need below `into`, without running anything of theirs.

        Args:
            packages: Names.
            into: New root of a file system.
            without: Names of packages that only installing needs.

        Raises:
            ToolsUnavailableError: A package cannot be had, or is damaged.
        """
        for name in _MERGED:
            (into / "usr" / name).mkdir(parents=True, exist_ok=True)
            (into / name).symlink_to(f"usr/{name}")
        for file in self.download(packages):
            if file.name.partition("_")[0] not in without:
                self.extract(file, into)
        for name in _DOCUMENTATION:
            shutil.rmtree(into / name, ignore_errors=True)

    @staticmethod
    def extract(file: Path, into: Path) -> None:
        """Unpack one package below a folder; links that merge /bin into /usr/bin stay links.

        Raises:
            ToolsUnavailableError: It is damaged.
        """
        into.mkdir(parents=True, exist_ok=True)
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(file)], stdout=subprocess.PIPE) as package:
            subprocess.run(
                ["tar", "--extract", "--keep-directory-symlink", "--directory", str(into)],
                stdin=package.stdout,
                check=True,
                timeout=_SECONDS,
            )
        if package.returncode:
            raise ToolsUnavailableError(f"{file.name} cannot be unpacked")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one thread of one process at a time use apt-get, which refuses a second one."""
        with (self._folder / "one-at-a-time").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _file(self, name: str, version: str) -> Path:
        (found,) = self.archives.glob(f"{name}_{version.replace(':', '%3a')}_*.deb")
        return found

    def _apt(self, *arguments: str) -> str:
        settings = {
            "Dir::State": self._folder,
            "Dir::State::Lists": self._folder / "lists",
            "Dir::State::status": self._folder / "status",
            "Dir::Cache": self._folder / "cache",
            "Dir::Etc::sourcelist": SOURCES,
            "Dir::Etc::sourceparts": "-",
            "APT::Sandbox::User": "",
        }
        options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
        done = subprocess.run(
            ["apt-get", *options, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        if done.returncode:
            raise ToolsUnavailableError(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-500:]}")
        return done.stdout
