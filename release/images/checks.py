"""Looks at what goes into a build before it starts: the context and the Dockerfile."""

import re
from pathlib import Path

from release.images.errors import ImageRefusedError

_SECRET_FILES = re.compile(r"\.env(\..+)?")
_HARMLESS = (".env.example",)
_ROOT = ("root", "0")


def check_context(folder: Path) -> None:
    """Make sure that a build context holds neither secrets nor history.

    The .dockerignore leaves both out; a context that holds them may still be read by another tool, or with another
    ignore file.

    Raises:
        ImageRefusedError: The folder is missing, or names what must not be in it.
    """
    if not folder.is_dir():
        raise ImageRefusedError(f"the build context {folder} is not a folder; give the folder of the service's source")
    for path in sorted(folder.rglob(".*")):
        name = path.name
        if name == ".git" or (_SECRET_FILES.fullmatch(name) and name not in _HARMLESS):
            raise ImageRefusedError(
                f"the build context {folder} holds {path.relative_to(folder)}, which must never get into an image; "
                "build from a clean export, such as `git archive HEAD | tar --extract --directory <folder>`"
            )


def check_dockerfile(file: Path) -> None:
    """Make sure that the image of a Dockerfile runs as a numeric user that is not root.

    Raises:
        ImageRefusedError: The last stage has no user, or one that a cluster cannot tell from root.
    """
    user = None
    for line in file.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words and words[0].upper() == "FROM":
            user = None
        elif words and words[0].upper() == "USER":
            user = words[1].partition(":")[0]
    if user is None or user in _ROOT:
        raise ImageRefusedError(f"{file.name} ends as root; write `USER 10001:10001` in its last stage")
    if not user.isdecimal():
        raise ImageRefusedError(
            f"{file.name} ends as the user {user!r}, of whom a cluster cannot tell that he is not root; write a number"
        )
