"""Changes every part of every NetworkPolicy once: removes it, widens it, or turns it into something else."""

import copy
import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from policy.manifests import Manifest, name_of, namespace_of
from policy.paths import ABSENT, join, read, write
from policy.rules.traffic import policy_directions

_PEERS = {"ingress": "from", "egress": "to"}
_OTHER_PROTOCOL = {"TCP": "UDP", "UDP": "TCP", "SCTP": "TCP"}
_HIGHEST_PORT = 65535
_OTHER_PORT = 9443
_STRANGERS = {"namespaceSelector": {"matchLabels": {"team": "strangers"}}}

Change = tuple[str, Callable[[Manifest], None]]
"""Object that is changed, and the change."""


@dataclass(frozen=True)
class Mutant:
    """All policies with one change.

    Attributes:
        subject: The policy that was changed, as reports name it.
        change: What was changed.
        policies: All policies after the change.
        changed: The policy after the change; empty where it was removed.
    """

    subject: str
    change: str
    policies: list[Manifest]
    changed: tuple[Manifest, ...] = ()

    def __str__(self) -> str:
        return f"{self.subject}: {self.change}"


def mutants(policies: Sequence[Manifest]) -> Iterator[Mutant]:
    """Every policy removed, and every rule, peer, port, selector and block of every policy changed, one at a time."""
    for position, policy in enumerate(policies):
        subject = f"NetworkPolicy {namespace_of(policy)}/{name_of(policy)}"
        others = [*policies[:position], *policies[position + 1 :]]
        yield Mutant(subject, "removed", others)
        for change, apply in _changes(policy):
            changed = copy.deepcopy(policy)
            apply(changed)
            yield Mutant(subject, change, [*others, changed], (changed,))


def _set(path: str, value: object, change: str) -> Change:
    verb = "removed" if value is ABSENT else change
    return f"{path} {verb}", lambda policy: write(policy, path, value)


def _changes(policy: Manifest) -> Iterator[Change]:
    directions = policy_directions(policy)
    for direction in directions:
        rest = [other for other in directions if other != direction]
        yield _set("spec.policyTypes", rest, f"without {direction}")
    for direction in ("ingress", "egress"):
        yield _set(f"spec.{direction}", [{}], "admits everything")
        for index, rule in enumerate(read(policy, f"spec.{direction}") or ()):
            yield from _rule_changes(f"spec.{direction}[{index}]", rule, _PEERS[direction])
    yield from _selector_changes("spec.podSelector", policy["spec"]["podSelector"])


def _rule_changes(path: str, rule: Manifest, peers: str) -> Iterator[Change]:
    yield _set(path, ABSENT, "")
    for key in (peers, "ports"):
        if rule.get(key):
            yield _set(f"{path}.{key}", ABSENT, "")
    if rule.get(peers):
        yield _set(f"{path}.{peers}[{len(rule[peers])}]", _STRANGERS, "added: a namespace that nobody knows")
    for index, peer in enumerate(rule.get(peers) or ()):
        # Without its last peer a rule admits everybody, which is a change of its own above.
        yield _set(f"{path}.{peers}[{index}]", ABSENT, "")
        yield from _peer_changes(f"{path}.{peers}[{index}]", peer)
    for index, port in enumerate(rule.get("ports") or ()):
        yield from _port_changes(f"{path}.ports[{index}]", port)


def _peer_changes(path: str, peer: Manifest) -> Iterator[Change]:
    for key in ("podSelector", "namespaceSelector"):
        if key in peer:
            if len(peer) > 1:
                yield _set(f"{path}.{key}", ABSENT, "")
            yield from _selector_changes(f"{path}.{key}", peer[key])
    if "namespaceSelector" not in peer and "ipBlock" not in peer:
        yield _set(f"{path}.namespaceSelector", {}, "set to every namespace")
    if "ipBlock" in peer:
        yield from _block_changes(f"{path}.ipBlock", peer["ipBlock"])
    else:
        yield _set(path, {"ipBlock": {"cidr": "0.0.0.0/0"}}, "replaced by every address")


def _selector_changes(path: str, selector: Manifest) -> Iterator[Change]:
    if selector:
        yield _set(path, {}, "selects everything")
    for key in selector.get("matchLabels") or {}:
        label = join(f"{path}.matchLabels", key)
        yield _set(label, ABSENT, "")
        yield _set(label, "nobody", "set to nobody")
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        yield _set(f"{path}.matchExpressions[{index}]", ABSENT, "")
        for position in range(len(expression.get("values") or ())):
            yield _set(f"{path}.matchExpressions[{index}].values[{position}]", "nobody", "set to nobody")


def _block_changes(path: str, block: Manifest) -> Iterator[Change]:
    network = ipaddress.ip_network(block["cidr"])
    if network.prefixlen:
        yield _set(f"{path}.cidr", str(network.supernet()), "twice as wide")
    if network.prefixlen < network.max_prefixlen:
        yield _set(f"{path}.cidr", str(next(network.subnets())), "halved")
    if block.get("except"):
        yield _set(f"{path}.except", ABSENT, "")
    for index, cidr in enumerate(block.get("except") or ()):
        yield _set(f"{path}.except[{index}]", ABSENT, "")
        excluded = ipaddress.ip_network(cidr)
        yield _set(f"{path}.except[{index}]", str(next(excluded.subnets())), "halved")
        yield _set(f"{path}.except[{index}]", str(excluded.supernet()), "twice as wide")


def _port_changes(path: str, port: Manifest) -> Iterator[Change]:
    yield _set(path, ABSENT, "")
    yield _set(f"{path}.protocol", _OTHER_PROTOCOL[port.get("protocol", "TCP")], "changed")
    number = port.get("port")
    if number is not None:
        yield _set(path, {"protocol": port.get("protocol", "TCP")}, "without a number")
        yield _set(f"{path}.port", _OTHER_PORT, f"set to {_OTHER_PORT}")
    if isinstance(number, int):
        yield _set(f"{path}.port", number + 1, "one higher")
        yield _set(f"{path}.endPort", port.get("endPort", number) + 1, "one higher")
        yield _set(f"{path}.endPort", _HIGHEST_PORT, "set to the highest port")
