"""Programs that are Python packages, each set of them in a virtual environment of its own in the cache."""

import hashlib
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tools import uv
from tools.cache import Cache, default_root
from tools.progress import Reporter

_FINISHED = "finished"


@dataclass(frozen=True)
class Environment:
    """A virtual environment with everything that one lock file pins.

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


def ensure(project: Path) -> Environment:
    """Provide the environment of a folder with pyproject.toml and uv.lock.

    Raises:
        ToolsUnavailableError: a package cannot be had, or is not the one that is pinned.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256((project / "uv.lock").read_bytes()).hexdigest()[:12]
    # Another interpreter or another lock file is another environment, so that nothing is ever changed in place.
    folder = default_root().parent / "python" / f"{project.name}@{version}@{digest}"
    if not (folder / _FINISHED).exists():
        with Cache(default_root()).lock(f"python-{project.name}", Reporter()):
            # The run that held the lock before us has perhaps provided it.
            if not (folder / _FINISHED).exists():
                _install(project, folder)
    return Environment(folder)


def _install(project: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Reporter().activity(f"{project.name}: installing Python packages"):
        options = ("--frozen", "--no-build", "--no-progress", "--python", sys.executable)
        uv.run(["sync", "--project", project, *options], UV_PROJECT_ENVIRONMENT=str(folder))
    (folder / _FINISHED).touch()
