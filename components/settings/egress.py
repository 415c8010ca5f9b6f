"""Where the services that may reach the internet must not get to although its address looks public."""

from components.settings.base import Settings, setting
from components.settings.names import NetworkRange


class EgressSettings(Settings):
    """What is not the internet. The ranges that never are (RFC 6890) are cut out anyway."""

    private_ranges: tuple[NetworkRange, ...] = setting(
        "security",
        "Further IPv4 ranges that are not the internet, such as a cluster's pods or a partner's network.",
        (),
    )
