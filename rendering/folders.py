"""Output folders of commands."""

from pathlib import Path

from rendering.errors import CommandError, ExitCode


def make_folder(folder: Path) -> None:
    """Create a folder where it is missing.

    Raises:
        CommandError: It is not a folder, or cannot be created; nothing was written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"{folder} cannot be a folder ({error.strerror}); name another one with --out", ExitCode.BAD_INPUT
        ) from None
