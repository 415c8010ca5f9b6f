"""Mesh of the services, who enters it, and calls beyond those of the code. Does not own the mesh's control plane."""

from typing import Literal

from components.settings.base import Settings, setting
from components.settings.names import DnsLabel, DnsName


class CallSettings(Settings):
    """One more edge of the service graph."""

    caller: str = setting("security", "Service that calls.")
    callee: str = setting("security", "Service that is called.")


class MeshSettings(Settings):
    """Istio in ambient mode, or none.

    `off` leaves nothing of it. With `ambient` the ingress controller's pods must be in the mesh, too: everything that
    is not mutual TLS is refused.
    """

    mode: Literal["off", "ambient"] = setting(
        "security", "Either `ambient` (Istio without sidecars, which needs its CRDs) or `off`.", "off"
    )
    trust_domain: DnsName = setting("security", "Trust domain of the mesh's identities.", "cluster.local")
    ingress_service_account: DnsLabel = setting(
        "security", "ServiceAccount of the ingress controller, in `ingress.controllerNamespace`.", "traefik"
    )

    @property
    def is_on(self) -> bool:
        """True if the services are in a mesh."""
        return self.mode != "off"
