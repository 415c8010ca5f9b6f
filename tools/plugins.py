"""Pulumi plugins from a toolbox, put where the Pulumi engine looks for them."""

import os
from pathlib import Path

from tools.toolbox import Location, Toolbox


def link_plugins(toolbox: Toolbox, pulumi_home: Path) -> tuple[Path, ...]:
    """Link every Pulumi plugin of a toolbox into `PULUMI_HOME/plugins/KIND-NAME-vVERSION/`.

    The engine takes a plugin from there without a warning and without the network. It demands a real folder (a link
    to a folder is skipped) and skips a folder beside which a `.partial` file tells of a broken installation. A
    plugin that Pulumi itself has installed completely is left as it is.

    Args:
        toolbox: what `ensure` returned.
        pulumi_home: the folder that is, or will be, in PULUMI_HOME.

    Returns:
        The path of each plugin's program.
    """
    plugins = [location for location in toolbox.locations.values() if location.package.pulumi_plugin is not None]
    return tuple(_link(location, pulumi_home / "plugins") for location in plugins)


def _link(location: Location, folder: Path) -> Path:
    package = location.package
    home = folder / f"{package.pulumi_plugin}-v{package.version}"
    marker = home.with_name(f"{home.name}.partial")
    program = home / package.name
    if program.is_file() and not program.is_symlink() and not marker.exists():
        return program
    home.mkdir(parents=True, exist_ok=True)
    temporary = home / f".{package.name}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(location.folder / package.name)
    temporary.replace(program)
    marker.unlink(missing_ok=True)
    return program
