"""What a command can end with: one exception and one exit code for each kind of failure."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `altlas`.

    A script can tell them apart: 1 asks to look at the cluster, 2 to correct the input, 3 and 4 to mend the machine,
    5 to wait.
    """

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    NO_TOOLS = 3
    NO_CLUSTER = 4
    BUSY = 5


class CommandError(Exception):
    """A command cannot go on; the message holds cause and cure."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code
