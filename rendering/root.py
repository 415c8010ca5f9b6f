"""Root folder of the checkout."""

import os
from pathlib import Path

from rendering.errors import CommandError, ExitCode

ROOT = Path(__file__).resolve().parent.parent
"""The checkout that this code lies in: the folder of Pulumi.yaml."""


def checkout() -> Path:
    """The checkout whose stack files count: the one named by ALT_LAS_ROOT, or that of this code.

    Raises:
        CommandError: ALT_LAS_ROOT names no folder.
    """
    root = Path(os.environ.get("ALT_LAS_ROOT", ROOT)).resolve()
    if not root.is_dir():
        raise CommandError(
            f"ALT_LAS_ROOT names {root}, which is no folder; name a checkout of this project, or unset it",
            ExitCode.BAD_INPUT,
        )
    return root
