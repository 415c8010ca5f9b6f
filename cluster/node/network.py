"""Addresses of one cluster of real nodes, and its bridge in the machine's own network namespace.

Several clusters may run on one machine: each has a number, which names its bridge and its range of addresses. Making
the bridge is what claims a number, because the kernel makes no second one of that name.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from cluster.node.commands import run
from cluster.state import damaged

MOST_CLUSTERS = 20
MOST_NODES = 9
DNS_ADDRESS = "10.96.0.10"
REGISTRY_PORT = 5000
API_PORT = 6443
"""Usual port of API servers, which policies of most stacks name already."""

_FIRST_RANGE = 180
_FIRST_NODE = 11
_PODS_BEGIN = 128


@dataclass(frozen=True)
class Network:
    """The addresses of a cluster; owns its bridge once `claim_network` has made it.

    Attributes:
        number: of the cluster on this machine, from 0.
        count: how many nodes there are.
    """

    number: int
    count: int

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes, each with a zone of the same letter."""
        return tuple(f"node-{chr(ord('a') + index)}" for index in range(self.count))

    @property
    def bridge(self) -> str:
        """Name of the bridge; the interfaces of nodes begin with it."""
        return f"altlas{self.number}"

    @property
    def _prefix(self) -> str:
        return f"10.{_FIRST_RANGE + self.number}"

    @property
    def addresses(self) -> str:
        """Range of everything in this cluster but Services, whose addresses exist inside nodes only."""
        return f"{self._prefix}.0.0/16"

    @property
    def gateway(self) -> str:
        """Address of the bridge: of the API server, of the image registry, and of this machine as seen from pods."""
        return f"{self._prefix}.0.1"

    @property
    def pods(self) -> str:
        """Range of all pods."""
        return f"{self._prefix}.{_PODS_BEGIN}.0/17"

    @property
    def registry(self) -> str:
        """Address and port of the image registry."""
        return f"{self.gateway}:{REGISTRY_PORT}"

    def address_of(self, node: str) -> str:
        """Return the address of a node."""
        return f"{self._prefix}.0.{_FIRST_NODE + self.nodes.index(node)}"

    def pods_of(self, node: str) -> str:
        """Return the range of a node's pods."""
        return f"{self._prefix}.{_PODS_BEGIN + self.nodes.index(node)}.0/24"

    def interface_of(self, node: str) -> str:
        """Return the end of a node's cable that is plugged into the bridge."""
        return f"{self.bridge}{node[-1]}"

    def connect(self, node: str, pid: int) -> None:
        """Plug the network namespace of a process into the bridge, as its `eth0`; route to its pods.

        Raises:
            ClusterError: the kernel refuses.
        """
        interface = self.interface_of(node)
        run(["ip", "link", "add", interface, "type", "veth", "peer", "name", "eth0", "netns", str(pid)])
        run(["ip", "link", "set", interface, "master", self.bridge, "up"])
        run(["ip", "route", "replace", self.pods_of(node), "via", self.address_of(node), "dev", self.bridge])

    def disconnect(self, node: str) -> None:
        """Remove a node's interface, if the kernel has not done so with the node's namespace."""
        if _link(self.interface_of(node)) is not None:
            run(["ip", "link", "delete", self.interface_of(node)])

    def remove(self, owner: Path) -> None:
        """Remove the bridge and, with it, its routes; another cluster's is left alone.

        Raises:
            ClusterError: the kernel refuses.
        """
        if not _is_ours(self.bridge, owner):
            return
        for node in self.nodes:
            if (_link(self.interface_of(node)) or {}).get("master") == self.bridge:
                self.disconnect(node)
        run(["ip", "link", "delete", self.bridge])


def read_network(path: Path) -> Network | None:
    """Read the addresses that a cluster has; None where the file is not there.

    Raises:
        ClusterError: the file was damaged.
    """
    try:
        found = json.loads(path.read_bytes())
        return Network(int(found["number"]), int(found["count"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ClusterError(damaged(path, error)) from error


def claim_network(kept: int | None, count: int, owner: Path) -> Network:
    """Return a network whose bridge exists and is ours.

    Args:
        kept: number of the last run, tried first, so that addresses stay.
        count: how many nodes there will be.
        owner: the cluster's folder; the bridge carries it as its alias.

    Raises:
        ClusterError: every number is taken by other clusters or by routes of this machine.
    """
    numbers = range(MOST_CLUSTERS)
    reasons = []
    for number in numbers if kept is None else (kept, *(other for other in numbers if other != kept)):
        network = Network(number, count)
        reason = _taken(network, owner) or _make(network, owner)
        if reason is None:
            return network
        reasons.append(f"{network.bridge}: {reason}")
    raise ClusterError(
        f"No network is free for the nodes: {'; '.join(reasons)}. Remove what is not needed any more, for example by "
        "`make down` in the project that owns it, or `ip link delete NAME`."
    )


def _taken(network: Network, owner: Path) -> str | None:
    if _link(network.bridge) is not None and not _is_ours(network.bridge, owner):
        return "the bridge exists and belongs to another cluster"
    wanted = ipaddress.ip_network(network.addresses)
    for route in json.loads(run(["ip", "-json", "route", "show", "table", "main"]) or "[]"):
        if route["dst"] != "default" and route.get("dev") != network.bridge:
            target = ipaddress.ip_network(route["dst"], strict=False)
            if target.version == wanted.version and target.overlaps(wanted):
                return f"this machine has a route to {target} by {route.get('dev')}"
    return None


def _make(network: Network, owner: Path) -> str | None:
    if _link(network.bridge) is None:
        try:
            run(["ip", "link", "add", network.bridge, "type", "bridge"])
        except ClusterError as error:
            # Another cluster that starts at the same moment may have been faster.
            return str(error)
        run(["ip", "link", "set", network.bridge, "alias", str(owner)])
    run(["ip", "address", "replace", f"{network.gateway}/24", "dev", network.bridge])
    run(["ip", "link", "set", network.bridge, "up"])
    return None


def _is_ours(bridge: str, owner: Path) -> bool:
    return (_link(bridge) or {}).get("ifalias") == str(owner)


def _link(name: str) -> dict[str, Any] | None:
    links: list[dict[str, Any]] = json.loads(run(["ip", "-json", "link", "show"]) or "[]")
    return next((link for link in links if link.get("ifname") == name), None)
