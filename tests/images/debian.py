"""Debian packages without touching this machine's own: a private package database below a cache folder."""

import shutil
import subprocess
import threading
from collections.abc import Collection, Sequence
from pathlib import Path

SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
_MERGED = ("bin", "sbin", "lib", "lib64")
_DOCUMENTATION = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian")
_SECONDS = 600
_ONE_APT = threading.Lock()


class NoBuilderError(Exception):
    """This machine cannot build images; the text says why."""


class PackageCache:
    """Downloads packages with all that they need. Owns its folder, never the machine's package database.

    apt checks every package against the signed index of the archive.
    """

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which is made when it is missing."""
        if not SOURCES.exists() or shutil.which("apt-get") is None:
            raise NoBuilderError(
                f"packages come from Debian, and this machine has no apt-get or no {SOURCES.name}; "
                "use Debian 12 or newer"
            )
        self._folder = folder
        self.archives = folder / "cache/archives"
        for each in (folder / "lists/partial", self.archives / "partial"):
            each.mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        if not any((folder / "lists").glob("*Packages*")):
            self._apt("update")

    def download(self, packages: Sequence[str]) -> list[Path]:
        """Download packages and everything that they depend on, and return the files.

        Raises:
            NoBuilderError: The archive cannot be reached, or has no such package.
        """
        options = ("--no-install-recommends", "--yes")
        with _ONE_APT:
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
        """
        for name in _MERGED:
            (into / "usr" / name).mkdir(parents=True, exist_ok=True)
            (into / name).symlink_to(f"usr/{name}")
        for file in self.download(packages):
            if file.name.partition("_")[0] not in without:
                _extract(file, into)
        for name in _DOCUMENTATION:
            shutil.rmtree(into / name, ignore_errors=True)

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
            raise NoBuilderError(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-500:]}")
        return done.stdout


def _extract(file: Path, into: Path) -> None:
    """Unpack one package; links that merge /bin into /usr/bin stay links."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(file)], stdout=subprocess.PIPE) as package:
        subprocess.run(
            ["tar", "--extract", "--keep-directory-symlink", "--directory", str(into)],
            stdin=package.stdout,
            check=True,
            timeout=_SECONDS,
        )
    if package.returncode:
        raise NoBuilderError(f"{file.name} cannot be unpacked")
