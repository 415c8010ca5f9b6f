"""Destinations outside the stack: what is not the internet, the cluster's DNS and the API server."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from components.settings.base import Settings, section, setting
from components.settings.names import DnsLabel, NetworkAddress, NetworkRange, PodLabels

_HIGHEST_PORT = 65535
Port = Annotated[int, Field(ge=1, le=_HIGHEST_PORT)]


class DnsSettings(Settings):
    """DNS of the cluster, as the pods' network sees it: the servers' pods, and caches that are no such pods."""

    namespace: DnsLabel = setting("security", "Namespace of the DNS servers' pods.", "kube-system")
    labels: PodLabels = setting(
        "security",
        "Labels of the DNS servers' pods, such as `dns.operator.openshift.io/daemonset-dns: default`.",
        {"k8s-app": "kube-dns"},
        min_length=1,
    )
    addresses: tuple[NetworkAddress, ...] = setting(
        "security",
        "Further addresses that answer for the cluster's DNS. With NodeLocal DNSCache: its own, such as "
        "169.254.20.10, and that of the Service kube-dns, which it takes over on each node.",
        (),
    )
    ports: tuple[Port, ...] = setting(
        "security", "Ports of the DNS servers' pods, by UDP and TCP.", (53,), min_length=1
    )


class EgressSettings(Settings):
    """Ranges outside the internet, and where DNS and the API server are. RFC 6890's ranges are cut out anyway."""

    private_ranges: tuple[NetworkRange, ...] = setting(
        "security",
        "Further IPv4 ranges that are not the internet, such as a cluster's pods or a partner's network.",
        (),
    )
    api_server_addresses: tuple[NetworkAddress, ...] = setting(
        "security",
        "Addresses of the API server for those pods that ask it (PostgreSQL's servers, monitoring): those of the "
        "Service `kubernetes` in the default networks of kubeadm and k3s. Nearly all networks judge connections by "
        "their real end: name the addresses of its EndpointSlices (`altlas up` checks them).",
        ("10.96.0.1", "10.43.0.1"),
    )
    api_server_ports: tuple[Port, ...] = setting(
        "security", "Ports of the API server's Service and of its endpoints.", (443, 6443), min_length=1
    )
    api_server_sources: tuple[NetworkRange, ...] = setting(
        "security",
        "IPv4 ranges from which requests come that the API server passes on to pods (`altlas status`): the machines "
        "of the control plane, or the agents of its tunnel. Empty for `apiServerAddresses`.",
        (),
    )
    dns: DnsSettings = section("DNS of the cluster.", DnsSettings())

    @property
    def proxied_ranges(self) -> tuple[str, ...]:
        """Sources of requests that the API server passes on to pods."""
        return self.api_server_sources or tuple(f"{address}/32" for address in self.api_server_addresses)

    @model_validator(mode="after")
    def _the_api_server_is_somewhere(self) -> Self:
        if not self.api_server_addresses:
            raise ValueError(
                "apiServerAddresses is empty, and a rule without addresses lets through to everybody; name those of "
                "the cluster's API server, or leave it out"
            )
        return self
