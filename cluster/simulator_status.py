"""Status of a simulated cluster at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class ProcessStatus:
    """One process.

    Attributes:
        name: its program.
        state: `running`; `dead`, if it ended without being stopped; `absent`, if it was stopped or never started.
        pid: its process identifier.
        memory_mib: resident memory in MiB.
    """

    name: str
    state: Literal["running", "dead", "absent"]
    pid: int | None
    memory_mib: float | None


@dataclass(frozen=True)
class SimulatorStatus:
    """All of it.

    Attributes:
        processes: one entry for each program.
        ports: loopback ports by name.
        ready: whether pods can run now.
        kubeconfig: the administrator's, if there is one.
    """

    processes: tuple[ProcessStatus, ...]
    ports: Mapping[str, int]
    ready: bool
    kubeconfig: Path | None

    @property
    def memory_mib(self) -> float:
        """Resident memory of all processes together in MiB."""
        return sum(process.memory_mib or 0 for process in self.processes)

    def describe(self) -> str:
        """Return a table for people."""
        lines = [f"{'ready' if self.ready else 'not ready'}, {self.memory_mib:.0f} MiB"]
        for process in self.processes:
            details = f" process {process.pid}, {process.memory_mib:.0f} MiB" if process.memory_mib else ""
            lines.append(f"  {process.name:24} {process.state:8}{details}")
        lines += [f"  {name:24} port {port}" for name, port in self.ports.items()]
        return "\n".join(lines)
