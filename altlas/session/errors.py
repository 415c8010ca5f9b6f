"""Failures that a person can mend, each with its exit code."""

import cluster
import tools
from components.stack.problems import SettingsError
from rendering.errors import CommandError, ExitCode

_CODES: tuple[tuple[type[Exception], ExitCode], ...] = (
    (SettingsError, ExitCode.BAD_INPUT),
    (tools.ToolsError, ExitCode.NO_TOOLS),
    (cluster.ClusterError, ExitCode.NO_CLUSTER),
)


def as_command_error(error: Exception) -> CommandError | None:
    """The failure as a message with an exit code; None for a defect of the program."""
    if isinstance(error, CommandError):
        return error
    return next((CommandError(str(error), code) for kind, code in _CODES if isinstance(error, kind)), None)
