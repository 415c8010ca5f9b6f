"""State of a simulated cluster between commands: its ports and its processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cluster.errors import ClusterError
from cluster.files import write_private


@dataclass(frozen=True)
class ProcessRecord:
    """One started process.

    Attributes:
        pid: the process identifier.
        started: when it started, as the operating system tells it; together with pid it names one process for ever.
        fingerprint: of the command and of the files it read, to see when a restart is due.
    """

    pid: int
    started: str
    fingerprint: str


@dataclass
class State:
    """Ports by name and processes by name; owns nothing but these facts."""

    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, ProcessRecord] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the state to a file with mode 0600."""
        write_private(path, json.dumps(asdict(self), indent=2) + "\n")


def load_state(path: Path) -> State:
    """Read the state; a file that is not there gives an empty state.

    Raises:
        ClusterError: if the file was damaged.
    """
    try:
        content = json.loads(path.read_text())
        processes = {name: ProcessRecord(**record) for name, record in content["processes"].items()}
        return State({name: int(port) for name, port in content["ports"].items()}, processes)
    except FileNotFoundError:
        return State()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClusterError(damaged(path, error)) from error


def damaged(path: Path, error: Exception) -> str:
    """Return the message about a file of a cluster that cannot be read."""
    return (
        f"The state file {path} cannot be read ({error}). End the processes of this cluster by hand "
        f"if any are left (their command lines name {path.parent}), then delete that directory."
    )
