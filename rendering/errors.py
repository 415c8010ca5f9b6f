"""Failures of a command: one exception, and one exit code for each kind."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `altlas`.

    1: look at the cluster. 2: correct the input. 3 and 4: repair the machine or the connection. 5: wait.
    6: the plan has no step, nothing was done. 7: a rule of releases forbids it (freeze, approvals, a spent plan).
    """

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    NO_TOOLS = 3
    NO_CLUSTER = 4
    BUSY = 5
    NOTHING = 6
    REFUSED = 7


class CommandError(Exception):
    """End of a command; the message holds cause and cure."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


class InterruptedCommandError(CommandError):
    """A person or a scheduler has ended the command; what it had begun is finished."""
