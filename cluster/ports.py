"""Choice of loopback ports that stay the same across restarts."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Container, Mapping

from cluster.errors import ClusterError

LOOPBACK = "127.0.0.1"
# Below the range from which operating systems take ports for outgoing connections, so that a kept
# port is not lost to a passing connection while the cluster is stopped.
LOWEST_PORT = 20_000
HIGHEST_PORT = 32_000
ATTEMPTS = 500


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without this, connections that were closed a moment ago would make the port look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose_free_port(reserved: Container[int]) -> int:
    """Return a free loopback port that is not reserved.

    Raises:
        ClusterError: if none is found.
    """
    for _ in range(ATTEMPTS):
        port = random.randint(LOWEST_PORT, HIGHEST_PORT)  # noqa: S311 - nothing is kept secret by a port number
        if port not in reserved and is_free(port):
            return port
    message = (
        f"No free port between {LOWEST_PORT} and {HIGHEST_PORT} on {LOOPBACK} was found. "
        "End programs that listen there, then try again."
    )
    raise ClusterError(message)


def settle_ports(
    kept: Mapping[str, int],
    in_use_by_us: Container[str],
    names: tuple[str, ...],
    requested: Mapping[str, int],
    report: Callable[[str], None],
) -> dict[str, int]:
    """Decide the port of every name.

    Args:
        kept: ports of the last run.
        in_use_by_us: names whose own process is running, so that a taken port is as it should be.
        names: the names that need a port.
        requested: ports that the user asked for; they win over kept ones.
        report: told when a kept port had to be given up.

    Returns:
        A port for each name; all different.

    Raises:
        ClusterError: if a requested port is taken by another program.
    """
    settled: dict[str, int] = {}
    reserved = {*kept.values(), *requested.values()}
    for name in names:
        wanted = requested.get(name, kept.get(name))
        ours = name in in_use_by_us and wanted == kept.get(name)
        if wanted is not None and (ours or is_free(wanted)):
            settled[name] = wanted
            continue
        if name in requested:
            raise ClusterError(taken_message(name, requested[name]))
        settled[name] = choose_free_port(reserved)
        reserved.add(settled[name])
        if wanted is not None:
            report(f"Port {wanted} of {name} is now used by another program; {name} moves to port {settled[name]}.")
    return settled


def taken_message(name: str, port: int) -> str:
    """Say that a requested port is taken and what to do."""
    return (
        f"Port {port} on {LOOPBACK}, asked for as the port of {name}, is used by another program. "
        f"End that program (find it with: ss -ltnp 'sport = :{port}'), ask for another port, "
        "or ask for none and let a free one be chosen."
    )
