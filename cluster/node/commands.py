"""Commands of the machine that this target runs: `ip`, `nsenter`, `kubectl`."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from cluster.errors import ClusterError

_SECONDS = 60


def run(command: Sequence[str], environment: Mapping[str, str] | None = None, *, text: str | None = None) -> str:
    """Run a command and return what it prints.

    Args:
        command: the program and its arguments.
        environment: all of its variables; by default those of this process.
        text: its standard input.

    Raises:
        ClusterError: it fails, does not end within a minute, or cannot be run; the message has its own words.
    """
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, timeout=_SECONDS, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterError(f"{command[0]} cannot be run: {error}.") from error
    if done.returncode:
        raise ClusterError(f"`{' '.join(command)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def succeeds(command: Sequence[str], environment: Mapping[str, str] | None = None) -> bool:
    """Tell whether a command ends with status 0."""
    try:
        run(command, environment)
    except ClusterError:
        return False
    return True
