"""Names that a stack file may use: their rules and what is said about a wrong one."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator

from components.kubernetes.naming import DNS_LABEL_MAXIMUM, is_dns_label, is_dns_name, is_label_key, is_label_value

_RESERVED_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


def _dns_label(text: str) -> str:
    if not is_dns_label(text):
        raise ValueError(
            f"is not a DNS label; use 1 to {DNS_LABEL_MAXIMUM} lower-case letters, digits or '-', "
            "with a letter or digit at both ends, such as alt-las"
        )
    return text


def _own_namespace(text: str) -> str:
    if text in _RESERVED_NAMESPACES:
        raise ValueError("belongs to the cluster; choose a namespace of the platform's own, such as alt-las")
    return text


def _dns_name(text: str) -> str:
    if not is_dns_name(text):
        raise ValueError("is not a DNS name; write lower-case labels joined by dots, such as alt-las.local")
    return text


def _network_range(text: str) -> str:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        network = None
    if network is None or "/" not in text or network.prefixlen == 0:
        raise ValueError(
            "is not an IPv4 range in CIDR notation; write the network's first address and its prefix length, such as "
            "203.0.113.0/24"
        )
    return text


def _address(text: str) -> str:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        raise ValueError("is not an IPv4 address; write one such as 10.96.0.1") from None
    return text


def _label_key(text: str) -> str:
    if not is_label_key(text):
        raise ValueError("is not the key of a label; write one such as app.kubernetes.io/name")
    return text


def _label_value(text: str) -> str:
    if not is_label_value(text):
        raise ValueError(
            f"is not the value of a label; use 1 to {DNS_LABEL_MAXIMUM} letters, digits, '-', '_' or '.', with a "
            "letter or digit at both ends"
        )
    return text


DnsLabel = Annotated[str, AfterValidator(_dns_label)]
OwnNamespace = Annotated[DnsLabel, AfterValidator(_own_namespace)]
DnsName = Annotated[str, AfterValidator(_dns_name)]
NetworkRange = Annotated[str, AfterValidator(_network_range)]
NetworkAddress = Annotated[str, AfterValidator(_address)]
PodLabels = dict[Annotated[str, AfterValidator(_label_key)], Annotated[str, AfterValidator(_label_value)]]
"""Labels that select pods: key and value of each."""
