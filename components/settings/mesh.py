"""Mesh of the services, if any, and who enters it. Does not own the mesh's control plane."""

from typing import Literal

from components.settings.base import Settings, setting
from components.settings.names import DnsLabel, DnsName


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
