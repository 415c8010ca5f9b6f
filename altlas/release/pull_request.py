"""Comment of a pull request about what it changes: made once, then updated, and marked when the request is closed.

Owns the text around the changes and the life of the comment. Does not own the changes' Markdown (`markdown`) nor the
requests (`github`). The comment is found by its mark and its author, so that no comment of another is overwritten.
"""

import re
from collections.abc import Sequence

from altlas.release.github import Comment, GitHub
from altlas.release.markdown import LIMIT, ROOM, as_markdown
from altlas.release.stack_change import StackChange
from rendering.errors import CommandError, ExitCode

MARK = "<!-- altlas: changes of this pull request -->"
AUTHOR = "github-actions[bot]"
"""Login of a job's own token."""

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_LINK = re.compile(r"https?://[A-Za-z0-9.:-]+/[A-Za-z0-9._/-]+")
_NOTHING = "No stack makes other objects.\n"


def comment_text(changes: Sequence[StackChange], commit: str, link: str = "") -> str:
    """The comment, of at most `LIMIT` bytes.

    Args:
        changes: Changes of the stacks; those without a step are left out.
        commit: Commit that was compared.
        link: Address of the run whose files hold all of it; empty for none.

    Raises:
        CommandError: Commit or link are none.
    """
    if not _COMMIT.fullmatch(commit):
        raise CommandError("--commit must be the hash of a commit", ExitCode.BAD_INPUT)
    if link and not _LINK.fullmatch(link):
        raise CommandError("--link must be an address", ExitCode.BAD_INPUT)
    where = f", [files]({link})" if link else ""
    head = f"{MARK}\n_Changes of commit {commit[:12]}{where}; updated with each push._\n\n"
    shown = [each for each in changes if each.steps or each.identity]
    if not shown:
        return head + _NOTHING
    text, room = "", min(ROOM, LIMIT - len(head.encode()))
    for number, change in enumerate(shown):
        text += _part(change, (room - len(text.encode())) // (len(shown) - number))
    return head + text


def closed_text(body: str) -> str:
    """The comment of a closed request: the same, without a promise."""
    return body.replace("; updated with each push._\n", "; the pull request is closed._\n", 1)


def own_comment(github: GitHub, pull: int) -> Comment | None:
    """The comment that an earlier run has made."""
    found = (each for each in github.comments(pull) if each.author == AUTHOR and each.body.startswith(MARK))
    return next(found, None)


def publish(github: GitHub, pull: int, text: str) -> str:
    """Make or update the comment; a request that changes nothing gets none.

    Returns:
        What was done: `created`, `updated`, `unchanged` or `not needed`.

    Raises:
        CommandError: GitHub refuses, or does not answer.
    """
    known = own_comment(github, pull)
    if known is None:
        if text.endswith(_NOTHING):
            return "not needed"
        github.create_comment(pull, text)
        return "created"
    return _updated(github, known, text)


def close(github: GitHub, pull: int) -> str:
    """Mark the comment of a closed request; what was done, as `publish`."""
    known = own_comment(github, pull)
    return _updated(github, known, closed_text(known.body)) if known else "not needed"


def _updated(github: GitHub, known: Comment, text: str) -> str:
    # GitHub stores line ends of its own.
    if known.body.replace("\r\n", "\n").strip() == text.strip():
        return "unchanged"
    github.update_comment(known.number, text)
    return "updated"


def _part(change: StackChange, room: int) -> str:
    try:
        return as_markdown(change, room)
    except CommandError as error:
        return f"**{len(change.objects)} objects change, too many for a comment**: {error.args[0].split(';')[0]}.\n\n"
