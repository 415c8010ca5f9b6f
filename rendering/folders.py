"""Folders that a command fills because somebody named them."""

from pathlib import Path

from rendering.errors import CommandError, ExitCode


def make_folder(folder: Path) -> None:
    """Make sure that a folder is there.

    Raises:
        CommandError: Something else has its name, or it cannot be made; nothing was written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"{folder} cannot be a folder ({error.strerror}); name another one with --out", ExitCode.BAD_INPUT
        ) from None
