"""The answer to `ensure`: where each program lies."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.errors import ToolsError
from tools.manifest import Package


@dataclass(frozen=True)
class Location:
    """Location of one package, and how it was found: `PATH`, `cache`, `download` or `build`."""

    package: Package
    folder: Path
    how: str


@dataclass(frozen=True)
class Toolbox:
    """The programs that one call of `ensure` provided.

    Attributes:
        locations: by package name.
    """

    locations: Mapping[str, Location]

    @property
    def versions(self) -> Mapping[str, str]:
        """The version of every program in this toolbox, without a leading `v`."""
        return {
            program: location.package.version
            for location in self.locations.values()
            for program in location.package.programs
        }

    def path(self, name: str) -> Path:
        """Return the absolute path of a program.

        Raises:
            ToolsError: this toolbox was not asked to hold that program.
        """
        for location in self.locations.values():
            if name in location.package.programs:
                return location.folder / name
        raise ToolsError(f"{name!r} is not in this toolbox, which holds: {', '.join(self.versions) or 'nothing'}")

    def directories(self) -> tuple[Path, ...]:
        """Return the folders to put at the front of PATH, each once.

        Our own folders come first, so that a system folder cannot hide a pinned program. Pulumi's plugins are left
        out, because Pulumi warns about each plugin that it meets on PATH.
        """
        usable = [location for location in self.locations.values() if location.package.pulumi_plugin is None]
        ordered = sorted(usable, key=lambda location: location.how == "PATH")
        return tuple(dict.fromkeys(location.folder for location in ordered))
