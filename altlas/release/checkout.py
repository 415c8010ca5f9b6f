"""Checkout in git: the person who works in it, and the commit that is deployed. Does not need git to be there."""

import getpass
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Commit:
    """The commit of a checkout.

    Attributes:
        sha: Its hash.
        time: When it was committed, as ISO 8601.
        author: Mail address of its author.
        committer: Mail address of its committer.
        is_clean: Whether the tracked files are as committed.
    """

    sha: str
    time: str
    author: str
    committer: str
    is_clean: bool


def person(root: Path) -> str:
    """Mail address that git would commit under; without one, the user and the machine."""
    return _git(root, "config", "user.email") or f"{getpass.getuser()}@{socket.gethostname()}"


def commit(root: Path) -> Commit | None:
    """The commit of a checkout, None where it is no repository or has no commit."""
    # The folder itself must be the repository: a copy inside another repository is not what that one has committed.
    top = _git(root, "rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != root.resolve():
        return None
    said = _git(root, "log", "-1", "--format=%H %cI %ae %ce")
    if not said:
        return None
    sha, time, author, committer = said.split(" ")
    return Commit(sha, time, author, committer, not _git(root, "status", "--porcelain", "--untracked-files=no"))


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
