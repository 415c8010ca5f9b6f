"""Writes the page about the architecture and its picture, from what the stacks' programs render."""

from pathlib import Path

from components.settings.loading import read_platform
from release.diagram import Drawing, drawing_of, page
from release.picture import svg
from release.program import record
from release.workspace import Workspace

PAGE = "architecture.md"
PICTURE = "architecture.svg"


def drawings(workspace: Workspace) -> dict[str, Drawing]:
    """The drawing of every stack that has a file.

    Raises:
        SettingsError: The settings of a stack are not usable.
    """
    names = sorted(path.name.split(".")[1] for path in workspace.root.glob("Pulumi.*.yaml"))
    documents = {
        name: read_platform(workspace.stack_file(name)).model_dump(mode="json", by_alias=True) for name in names
    }
    return {name: drawing_of(name, record(name, document).objects) for name, document in documents.items()}


def pages(workspace: Workspace, stack: str) -> dict[str, str]:
    """Page and picture of a stack, by file name.

    Raises:
        SettingsError: The settings of a stack are not usable, or it has no file.
    """
    read_platform(workspace.stack_file(stack))
    found = drawings(workspace)
    drawing = found.pop(stack)
    return {PAGE: page(drawing, tuple(found.values()), PICTURE), PICTURE: svg(drawing)}


def write_pages(workspace: Workspace, stack: str, folder: Path) -> list[Path]:
    """Write both files into a folder and return where they are.

    Raises:
        SettingsError: The settings of a stack are not usable, or it has no file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(workspace, stack).items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in (PAGE, PICTURE)]
