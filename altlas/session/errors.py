"""Failures that a person can mend, each with its exit code."""

import re
import sys

import cluster
import tools
from components.stack.problems import SettingsError
from rendering.errors import CommandError, ExitCode

_CODES: tuple[tuple[type[Exception], ExitCode], ...] = (
    (SettingsError, ExitCode.BAD_INPUT),
    (tools.ToolsError, ExitCode.NO_TOOLS),
    (cluster.ClusterRequestError, ExitCode.BAD_INPUT),
    (cluster.MissingProgramError, ExitCode.NO_TOOLS),
    (cluster.ClusterError, ExitCode.NO_CLUSTER),
)

_LOGIN = re.compile(r"(?:(?<=://)[^\s/@]+|[^\s/@:'\"]+:[^\s/@'\"]+)(@(?!sha256:))")
"""User and password before a host; a digest of an image stands behind the same sign."""

_LONGEST_WORD = 300
"""Letters of the longest word that a message repeats whole; digests and paths are shorter."""


def as_command_error(error: Exception) -> CommandError | None:
    """The failure as a message with an exit code; None for a defect of the program."""
    if isinstance(error, CommandError):
        return error
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return CommandError(f"the command cannot go on: {place}{error.strerror}; mend that, then try again")
    # Only a process that has loaded Pulumi's SDK gets its error, and others shall not load it for a message.
    sdk = sys.modules.get("pulumi")
    codes = _CODES if sdk is None else (*_CODES, (sdk.RunError, ExitCode.BAD_INPUT))
    return next((CommandError(str(error), code) for kind, code in codes if isinstance(error, kind)), None)


def printable(message: str) -> str:
    """A message as a terminal can take it, and as a log may keep it.

    It has no control characters, no word that hides the rest by its length, and no user and password of an address.
    """
    message = _LOGIN.sub(r"[secret]\1", message)
    plain = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", message)
    return re.sub(rf"\S{{{_LONGEST_WORD},}}", lambda word: f"{word[0][:60]}... ({len(word[0])} letters)", plain)
