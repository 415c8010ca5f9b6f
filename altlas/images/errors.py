"""Refusals of images."""

from rendering.errors import CommandError, ExitCode


class ImageRefusedError(CommandError):
    """An image, a lock or a build context is refused; nothing was changed."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}. Nothing was changed", ExitCode.BAD_INPUT)
