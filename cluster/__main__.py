"""Start, stop, delete or show the simulated cluster: `python -m cluster start`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.control_plane import PROGRAMS
from cluster.errors import ClusterError
from cluster.simulator import Simulator

DEFAULT_DIRECTORY = Path(".altlas/sim")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        programs = _programs(options.programs) if options.command == "start" else {}
        simulator = Simulator(
            options.directory,
            programs,
            api_port=options.api_port,
            audit_log=options.audit_log,
            report=lambda sentence: print(sentence, file=sys.stderr),
        )
        _run(options.command, simulator)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(command: str, simulator: Simulator) -> None:
    if command == "start":
        print(simulator.start())
    elif command == "status":
        print(simulator.status().describe())
    else:
        {"stop": simulator.stop, "delete": simulator.delete}[command]()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    parser.add_argument("command", choices=("start", "stop", "delete", "status"))
    parser.add_argument("--directory", type=Path, default=DEFAULT_DIRECTORY, help="where all files are")
    parser.add_argument("--programs", type=Path, help="directory with the programs; default: the project's tools")
    parser.add_argument("--api-port", type=int, help="port of the API server; default: the last one, or a free one")
    parser.add_argument("--audit-log", action="store_true", help="write API requests to logs/audit.jsonl")
    return parser


def _programs(directory: Path | None) -> Mapping[str, Path]:
    if directory is not None:
        return {name: directory.absolute() / name for name in PROGRAMS}
    # Found only when needed: stopping must work where the tools are not installed.
    toolbox = importlib.import_module("tools").ensure(PROGRAMS)
    return {name: Path(toolbox.path(name)) for name in PROGRAMS}


if __name__ == "__main__":
    sys.exit(main())
