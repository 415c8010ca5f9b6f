"""A copy of the program to try something out on, with the settings of its stacks but without their secrets."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from altlas.session.stack_secrets import reset_secrets
from rendering.root import ROOT

PROGRAM_ENVIRONMENT = ".venv-program"
"""Virtual environment of what Pulumi runs, beside Pulumi.yaml, which names it."""


def copy_stack_file(stack: str, file: Path) -> None:
    """Copy a stack file of this checkout, in which `make up` may have written secrets, without them."""
    shutil.copy(ROOT / f"Pulumi.{stack}.yaml", file)
    reset_secrets(file)


def copy_program(folder: Path, names: Iterable[str]) -> None:
    """Copy files and folders of the program, and let it use the virtual environment of this one.

    Encrypted values are removed from stack files, because a copy has another passphrase.

    Args:
        folder: Existing folder to copy into.
        names: Files and folders beside Pulumi.yaml.
    """
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy(source, folder)
    for stack_file in folder.glob("Pulumi.*.yaml"):
        reset_secrets(stack_file)
    (folder / PROGRAM_ENVIRONMENT).symlink_to(ROOT / PROGRAM_ENVIRONMENT)
