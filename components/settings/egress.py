"""Where the services that may reach the internet must not get to, and where the API server is."""

from typing import Self

from pydantic import model_validator

from components.settings.base import Settings, setting
from components.settings.names import NetworkAddress, NetworkRange


class EgressSettings(Settings):
    """What is not the internet, and how the API server is reached. RFC 6890's ranges are cut out anyway."""

    private_ranges: tuple[NetworkRange, ...] = setting(
        "security",
        "Further IPv4 ranges that are not the internet, such as a cluster's pods or a partner's network.",
        (),
    )
    api_server_addresses: tuple[NetworkAddress, ...] = setting(
        "security",
        "Addresses of the API server for those pods that ask it (PostgreSQL's servers, monitoring): those of the "
        "Service `kubernetes` in the default networks of kubeadm and k3s. Where the cluster's network judges "
        "connections by their real end, name the machines of the control plane.",
        ("10.96.0.1", "10.43.0.1"),
    )

    @model_validator(mode="after")
    def _the_api_server_is_somewhere(self) -> Self:
        if not self.api_server_addresses:
            raise ValueError(
                "apiServerAddresses is empty, and a rule without addresses lets through to everybody; name those of "
                "the cluster's API server, or leave it out"
            )
        return self
