"""The programs that the project needs, at pinned versions: found, downloaded or built.

Standard library only: this runs before any virtual environment exists.
"""

from collections.abc import Sequence

from tools.cache import Cache, default_root
from tools.errors import ToolsError, ToolsUnavailableError
from tools.manifest import Manifest
from tools.plugins import link_plugins
from tools.progress import Reporter
from tools.search import Search
from tools.toolbox import Toolbox

__all__ = ["ALL", "Toolbox", "ToolsError", "ToolsUnavailableError", "ensure", "link_plugins", "pinned_version"]

ALL: tuple[str, ...] = Manifest.load().usual_programs()
"""The name of every pinned program that is not on demand."""


def ensure(names: Sequence[str] = ALL) -> Toolbox:
    """Provide programs: from PATH, from the cache, by download, or by building them; in this order.

    Args:
        names: programs of the manifest.

    Returns:
        Where each program lies. A package brings all of its programs, also those that were not asked for.

    Raises:
        ToolsError: a name is not in the manifest, or the cache cannot be written.
        ToolsUnavailableError: a program cannot be had by any way; the text lists every try.
    """
    manifest = Manifest.load()
    packages = manifest.packages_of(names)
    return Search(manifest, Cache(default_root()), Reporter()).provide(packages)


def pinned_version(name: str) -> str:
    """Return the version of a program that the manifest pins, without a leading `v`.

    Raises:
        ToolsError: the name is not in the manifest.
    """
    return Manifest.load().package_of(name).version
