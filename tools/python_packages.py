"""Programs that are Python packages, each set of them in a virtual environment of its own in the cache."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tools.cache import Cache, default_root
from tools.errors import ToolsUnavailableError
from tools.progress import Reporter

_FINISHED = "finished"
_SHOWN_LINES = 5


@dataclass(frozen=True)
class Environment:
    """A virtual environment with everything that one file of requirements pins.

    Attributes:
        folder: where it lies; it must not be moved, because its scripts hold this path.
    """

    folder: Path

    def program(self, name: str) -> Path:
        """Return the path of a program that one of the packages brings."""
        return self.folder / "bin" / name

    @property
    def packages(self) -> Path:
        """Folder of the installed packages."""
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.folder)}))


def ensure(requirements: Path) -> Environment:
    """Provide the environment of a file of requirements, which must pin every package by checksum.

    Raises:
        ToolsUnavailableError: a package cannot be had, or is not the one that is pinned.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    # Another interpreter or another list is another environment, so that nothing is ever changed in place.
    folder = default_root().parent / "python" / f"{requirements.stem}@{version}@{digest}"
    if not (folder / _FINISHED).exists():
        with Cache(default_root()).lock(f"python-{requirements.stem}", Reporter()):
            # The run that held the lock before us has perhaps provided it.
            if not (folder / _FINISHED).exists():
                _install(requirements, folder)
    return Environment(folder)


def _install(requirements: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Reporter().activity(f"{requirements.name}: installing Python packages"):
        _run([sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--require-hashes", "--only-binary", ":all:", "--requirement", str(requirements)])
    (folder / _FINISHED).touch()


def _run(command: list[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        last = "\n".join((answer.stderr or answer.stdout).strip().splitlines()[-_SHOWN_LINES:])
        raise ToolsUnavailableError(
            f"These Python packages could not be installed:\n{last}\n\nWhat you can do:\n"
            "  - behind a proxy, set HTTPS_PROXY, or PIP_INDEX_URL to a mirror"
        )
