"""Start, stop, delete or show a cluster of this machine: `python -m cluster start [--target node]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import tools
from cluster.errors import ClusterError
from cluster.node.node_cluster import NodeCluster, requested_nodes
from cluster.opening import required_programs
from cluster.simulated import SimulatedCluster
from cluster.simulator import Simulator
from cluster.target import NODE, SIM, Target

DEFAULT_FOLDER = Path(".altlas")
_SAME = {"up": "start", "down": "stop"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    command = _SAME.get(options.command, options.command)
    try:
        needed = required_programs(Target(options.target, ""))
        cluster = _cluster(options, _programs(options.programs, needed) if command == "start" else {})
        if command == "start":
            print(cluster.up())
        elif command == "status":
            print(cluster.status().summary)
        else:
            {"stop": cluster.down, "delete": cluster.delete}[command]()
    except (ClusterError, tools.ToolsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _cluster(options: argparse.Namespace, programs: Mapping[str, Path]) -> SimulatedCluster | NodeCluster:
    directory = options.directory or DEFAULT_FOLDER / options.target
    if options.target == NODE:
        return NodeCluster(directory, programs, _report, options.nodes or requested_nodes())
    return SimulatedCluster(
        Simulator(directory, programs, api_port=options.api_port, audit_log=options.audit_log, report=_report)
    )


def _report(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    parser.add_argument("command", choices=("start", "up", "stop", "down", "delete", "status"))
    parser.add_argument(
        "--target", choices=(SIM, NODE), default=SIM, help="simulated nodes, or real ones (root, Linux)"
    )
    parser.add_argument("--directory", type=Path, help="where all files are; default: .altlas/TARGET")
    parser.add_argument("--programs", type=Path, help="directory with the programs; default: the project's tools")
    parser.add_argument(
        "--api-port", type=int, help="sim: port of the API server; default: the last one, or a free one"
    )
    parser.add_argument("--audit-log", action="store_true", help="sim: write API requests to logs/audit.jsonl")
    parser.add_argument("--nodes", type=int, help="node: how many nodes; default: ALT_LAS_NODES, or 3")
    return parser


def _programs(directory: Path | None, names: tuple[str, ...]) -> Mapping[str, Path]:
    if directory is not None:
        return {name: directory.absolute() / name for name in names}
    # Found only when needed: stopping must work where the tools are not installed.
    toolbox = tools.ensure(names)
    return {name: Path(toolbox.path(name)) for name in names}


if __name__ == "__main__":
    sys.exit(main())
