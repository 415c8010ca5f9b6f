"""Addresses that stand for whole networks: what the internet is, and which networks policies tell apart."""

import ipaddress
from collections.abc import Iterator, Sequence

from policy.manifests import Manifest
from policy.paths import read

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_REPRESENTATIVES = (
    "1.1.1.1",
    "93.184.216.34",
    "223.255.255.1",
    "10.96.0.1",
    "10.250.0.10",
    "100.64.0.10",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.10",
    "192.0.0.1",
    "192.0.2.10",
    "192.168.0.10",
    "198.18.0.10",
    "198.51.100.10",
    "203.0.113.10",
    "224.0.0.10",
    "240.0.0.10",
    "2606:4700:4700::1111",
    "fd00::10",
)

# Written down again on purpose: a proof that took the ranges from the policies' own source would prove its mistakes.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(cidr)
    for cidr in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the IPv4 internet."""
    return address.version == 4 and not any(address in network for network in _NOT_PUBLIC)  # noqa: PLR2004  # IPv4


def peers_of(policies: Sequence[Manifest]) -> Iterator[Manifest]:
    """Every peer of every rule of some policies."""
    for policy in policies:
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for rule in read(policy, f"spec.{direction}") or ():
                yield from rule.get(peers) or ()


def representative_addresses(policies: Sequence[Manifest]) -> set[Address]:
    """Representatives of every network that policies can tell apart: each block's ends and their outer neighbours."""
    found: set[Address] = {ipaddress.ip_address(text) for text in _REPRESENTATIVES}
    for network in _networks(policies):
        first, last = network.network_address, network.broadcast_address
        found |= {first, last}
        if int(first):
            found.add(first - 1)
        if int(last) < 2**last.max_prefixlen - 1:
            found.add(last + 1)
    return found


def _networks(policies: Sequence[Manifest]) -> set[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    blocks = [block for peer in peers_of(policies) if (block := peer.get("ipBlock"))]
    return {ipaddress.ip_network(cidr) for block in blocks for cidr in (block["cidr"], *(block.get("except") or ()))}
